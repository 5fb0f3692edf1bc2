/** @file A new API key: what for, how long, and what it may. */
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { NewApiKey } from "#contracts";
import { client } from "../../api/client.ts";
import { basesQuery, modelsQuery, useAction } from "../../api/queries.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";

const dayMs = 86_400_000;
const spans = [0, 30, 90, 365] as const;

export function NewKeyDialog({ onMade, onClose }: { readonly onMade: (key: NewApiKey) => void; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const bases = useQuery(basesQuery());
  const models = useQuery(modelsQuery());
  const create = useAction(client.keys.create, [["keys"]]);
  const usable = models.data?.filter((model) => model.state === "ready" || model.state === "loaded") ?? [];
  const submit = (form: FormData): void => {
    const days = Number(form.get("days"));
    const chosen = (name: string): string[] | null => {
      const list = form.getAll(name).map(String);
      return list.length === 0 ? null : list;
    };
    create.mutate(
      {
        name: String(form.get("name")).trim(),
        access: form.get("access") === "read" ? "read" : "write",
        models: chosen("models"),
        bases: chosen("bases"),
        expiresAt: days === 0 ? null : new Date(Date.now() + days * dayMs).toISOString(),
      },
      { onSuccess: onMade },
    );
  };
  return (
    <Dialog title={t("keys.add")} onClose={onClose}>
      <DialogForm action={create} deed={t("common.create")} onSubmit={submit} onClose={onClose}>
        <div className="field">
          <label htmlFor="key-name">{t("keys.name")}</label>
          <input id="key-name" name="name" className="input" required maxLength={100} autoFocus placeholder={t("keys.nameExample")} />
        </div>
        <div className="field">
          <label htmlFor="key-access">{t("keys.access")}</label>
          <select id="key-access" name="access" className="input" defaultValue="write">
            <option value="write">{t("keys.mayWrite")}</option>
            <option value="read">{t("keys.mayRead")}</option>
          </select>
        </div>
        <div className="field">
          <label htmlFor="key-days">{t("keys.expires")}</label>
          <select id="key-days" name="days" className="input" defaultValue="0">
            {spans.map((days) => (
              <option key={days} value={days}>
                {days === 0 ? t("keys.never") : t("keys.days", { count: days })}
              </option>
            ))}
          </select>
        </div>
        <Choices
          legend={t("keys.bases")}
          hint={t("keys.basesHint")}
          name="bases"
          items={bases.data?.map((base) => [base.id, base.name] as const) ?? []}
        />
        <Choices legend={t("keys.models")} hint={t("keys.modelsHint")} name="models" items={usable.map((model) => [model.id, model.id] as const)} />
      </DialogForm>
    </Dialog>
  );
}

function Choices(props: {
  readonly legend: string;
  readonly hint: string;
  readonly name: string;
  readonly items: readonly (readonly [string, string])[];
}) {
  if (props.items.length === 0) return null;
  return (
    <fieldset className="field">
      <legend>{props.legend}</legend>
      <div className="row wrap">
        {props.items.map(([value, label]) => (
          <label key={value} className="row small">
            <input type="checkbox" name={props.name} value={value} />
            <span className="clip">{label}</span>
          </label>
        ))}
      </div>
      <span className="hint">{props.hint}</span>
    </fieldset>
  );
}
