/** @file Quotas: how much each person, and each key, may use. */
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ApiKeyInfo, Quota, QuotaLimits } from "#contracts";
import { client } from "../../api/client.ts";
import { quotasQuery, sessionQuery, useAction } from "../../api/queries.ts";
import { Button, IconButton } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { ErrorCard, useErrorWords } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { PlusIcon, RemoveIcon } from "../../ui/icons.ts";
import { showToast } from "../../ui/toasts.tsx";

const limits = [
  "requestsPerMinute",
  "requestsPerDay",
  "tokensPerMinute",
  "tokensPerDay",
  "tokensPerMonth",
  "concurrent",
] as const satisfies readonly (keyof QuotaLimits)[];

export function QuotaSection({ keys }: { readonly keys: readonly ApiKeyInfo[] }) {
  const { t } = useTranslation();
  const session = useQuery(sessionQuery());
  const quotas = useQuery(quotasQuery());
  const [adding, setAdding] = useState(false);
  const mayChange = session.data?.actor?.role === "administrator" || session.data?.actor?.role === "operator";
  return (
    <section className="col" style={{ gap: 8 }}>
      <div className="row">
        <h2 className="label">{t("quota.title")}</h2>
        {mayChange ? (
          <Button small className="end" icon={PlusIcon} onClick={() => setAdding(true)}>
            {t("quota.add")}
          </Button>
        ) : null}
      </div>
      <p className="muted small">{t("quota.hint")}</p>
      {quotas.isError ? <ErrorCard error={quotas.error} onRetry={() => void quotas.refetch()} /> : null}
      {quotas.data !== undefined && quotas.data.length > 0 ? (
        <ul className="card lines">
          {quotas.data.map((quota) => (
            <QuotaRow key={`${quota.kind} ${quota.subject}`} quota={quota} keys={keys} mayChange={mayChange} />
          ))}
        </ul>
      ) : null}
      {quotas.data?.length === 0 ? <p className="muted small">{t("quota.none")}</p> : null}
      {adding ? <QuotaDialog keys={keys} onClose={() => setAdding(false)} /> : null}
    </section>
  );
}

function QuotaRow({ quota, keys, mayChange }: { readonly quota: Quota; readonly keys: readonly ApiKeyInfo[]; readonly mayChange: boolean }) {
  const { t } = useTranslation();
  const { number } = useFormat();
  const words = useErrorWords();
  const remove = useAction(() => client.usage.writeQuota({ kind: quota.kind, subject: quota.subject }), [["quotas"]]);
  const name = quota.kind === "everyone" ? t("quota.everyone") : (keys.find((key) => key.id === quota.subject)?.name ?? quota.subject);
  return (
    <li className="model row wrap">
      <strong className="clip">{name}</strong>
      {quota.kind === "everyone" ? null : <span className="tag">{t(`quota.kind.${quota.kind}`)}</span>}
      {limits.map((limit) => {
        const value = quota[limit];
        return value === null ? null : (
          <span key={limit} className="muted small">
            {t(`quota.${limit}`)} {number(value)}
          </span>
        );
      })}
      {mayChange ? (
        <span className="row end">
          <IconButton
            label={t("quota.remove", { name })}
            icon={RemoveIcon}
            onClick={() => remove.mutate(undefined, { onError: (error) => showToast(words(error).message) })}
          />
        </span>
      ) : null}
    </li>
  );
}

function QuotaDialog({ keys, onClose }: { readonly keys: readonly ApiKeyInfo[]; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const id = useId();
  const save = useAction(client.usage.writeQuota, [["quotas"]]);
  const submit = (form: FormData): void => {
    const subject = String(form.get("subject"));
    const given = Object.fromEntries(limits.flatMap((limit) => (String(form.get(limit)) === "" ? [] : [[limit, Number(form.get(limit))]])));
    save.mutate({ kind: subject === "" ? "everyone" : "key", subject, ...given }, { onSuccess: onClose });
  };
  return (
    <Dialog title={t("quota.add")} onClose={onClose}>
      <DialogForm action={save} onSubmit={submit} onClose={onClose}>
        <div className="field">
          <label htmlFor={`${id}-subject`}>{t("quota.whose")}</label>
          <select id={`${id}-subject`} name="subject" className="input" defaultValue="">
            <option value="">{t("quota.everyone")}</option>
            {keys.map((key) => (
              <option key={key.id} value={key.id}>
                {key.name}
              </option>
            ))}
          </select>
        </div>
        {limits.map((limit) => (
          <div key={limit} className="field">
            <label htmlFor={`${id}-${limit}`}>{t(`quota.${limit}`)}</label>
            <input id={`${id}-${limit}`} name={limit} type="number" min={0} step={1} className="input" placeholder={t("quota.unlimited")} />
          </div>
        ))}
      </DialogForm>
    </Dialog>
  );
}
