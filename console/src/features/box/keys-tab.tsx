/** @file API keys: made with limits, shown once, rotated, revoked. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { ApiKeyInfo, NewApiKey } from "#contracts";
import { client } from "../../api/client.ts";
import { keysQuery, useAction } from "../../api/queries.ts";
import { Badge, Button, CopyButton, IconButton, Notice } from "../../ui/basics.tsx";
import { useErrorWords } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { AlertIcon, KeyIcon, PlusIcon, RetryIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { RemoveButton } from "../../ui/remove-button.tsx";
import { showToast } from "../../ui/toasts.tsx";
import { useRemoving } from "../../ui/undo.ts";
import { NewKeyDialog } from "./new-key-dialog.tsx";
import { QuotaSection } from "./quota-section.tsx";

export function KeysTab() {
  const { t } = useTranslation();
  const keys = useQuery(keysQuery());
  const removing = useRemoving();
  const [made, setMade] = useState<NewApiKey | null>(null);
  const [naming, setNaming] = useState(false);
  const shown = keys.data?.filter((key) => key.revokedAt === null && !removing.has(key.id)) ?? [];
  const revoked = keys.data?.filter((key) => key.revokedAt !== null) ?? [];
  return (
    <div className="page-body">
      <section className="col" style={{ gap: 8 }}>
        <div className="row">
          <h2 className="label">{t("keys.title")}</h2>
          <Button small className="end" icon={PlusIcon} onClick={() => setNaming(true)}>
            {t("keys.add")}
          </Button>
        </div>
        <p className="muted small">
          {t("keys.hint")} <code>{`${location.origin}/v1`}</code>
        </p>
        {made === null ? null : (
          <Notice tone="accent" icon={KeyIcon} action={<CopyButton text={made.key} label={t("keys.copy")} />}>
            <p>
              <strong>{t("keys.once")}</strong>
            </p>
            <p className="mono" style={{ overflowWrap: "anywhere" }}>
              {made.key}
            </p>
          </Notice>
        )}
        <QueryState query={keys} rows={2} />
        {shown.length > 0 ? (
          <ul className="card lines">
            {shown.map((key) => (
              <KeyRow key={key.id} item={key} onMade={setMade} />
            ))}
          </ul>
        ) : null}
        {keys.isSuccess && shown.length === 0 ? <p className="muted small">{t("keys.empty")}</p> : null}
        {revoked.length > 0 ? (
          <details>
            <summary className="muted small">{t("keys.revokedList", { count: revoked.length })}</summary>
            <ul className="card lines">
              {revoked.map((key) => (
                <li key={key.id} className="model row wrap">
                  <span className="clip">{key.name}</span>
                  <span className="mono muted">{key.prefix}…</span>
                </li>
              ))}
            </ul>
          </details>
        ) : null}
        {naming ? <NewKeyDialog onMade={(key) => (setMade(key), setNaming(false))} onClose={() => setNaming(false)} /> : null}
      </section>
      <QuotaSection keys={shown} />
    </div>
  );
}

function KeyRow({ item, onMade }: { readonly item: ApiKeyInfo; readonly onMade: (key: NewApiKey) => void }) {
  const { t } = useTranslation();
  const { ago, date } = useFormat();
  const words = useErrorWords();
  const revoke = useAction(() => client.keys.revoke(item.id), [["keys"]]);
  const rotate = useAction(() => client.keys.rotate(item.id), [["keys"]]);
  const isOver = item.expiresAt !== null && Date.parse(item.expiresAt) <= Date.now();
  return (
    <li className="model row wrap">
      <KeyIcon size={15} aria-hidden />
      <strong className="clip">{item.name}</strong>
      <span className="mono muted">{item.prefix}…</span>
      {item.access === "read" ? <span className="tag">{t("keys.readOnly")}</span> : null}
      {item.models === null ? null : <span className="tag">{item.models.join(", ")}</span>}
      {item.bases === null ? null : <span className="tag">{t("keys.someBases", { count: item.bases.length })}</span>}
      {item.teamId === null ? null : <span className="tag">{t("keys.ofTeam")}</span>}
      {isOver ? (
        <Badge tone="warn" icon={AlertIcon}>
          {t("keys.expired")}
        </Badge>
      ) : item.expiresAt === null ? null : (
        <span className="muted tiny">{t("keys.until", { date: date(item.expiresAt) })}</span>
      )}
      {item.formerUntil !== null && Date.parse(item.formerUntil) > Date.now() ? (
        <span className="muted tiny">{t("keys.formerUntil", { date: date(item.formerUntil) })}</span>
      ) : null}
      <span className="row end">
        <span className="muted tiny">{item.lastUsedAt === null ? t("keys.unused") : t("keys.used", { time: ago(item.lastUsedAt) })}</span>
        <IconButton
          label={t("keys.rotate", { name: item.name })}
          icon={RetryIcon}
          onClick={() => rotate.mutate(undefined, { onSuccess: onMade, onError: (error) => showToast(words(error).message) })}
        />
        <RemoveButton id={item.id} label={t("keys.remove", { name: item.name })} removed={t("keys.removed", { name: item.name })} action={revoke} />
      </span>
    </li>
  );
}
