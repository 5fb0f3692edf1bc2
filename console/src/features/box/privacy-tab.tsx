/** @file Privacy: what is masked where, how long what is kept, legal holds, and one person's data. */
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ErasureReport, MaskKind, MaskPlace, MaskPolicy, RetentionPolicy } from "#contracts";
import { client } from "../../api/client.ts";
import { masksQuery, peopleQuery, retentionQuery, useAction } from "../../api/queries.ts";
import { Button, Notice } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { DownloadIcon, OkIcon, WarnIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { TableScroll } from "../../ui/table-scroll.tsx";
import { showToast } from "../../ui/toasts.tsx";
import { HoldSection } from "./hold-section.tsx";

const kinds = ["mobile", "identity", "bankCard", "email", "word"] as const satisfies readonly MaskKind[];
const places = ["input", "output", "stored"] as const satisfies readonly MaskPlace[];
const periods = ["historyDays", "uploadsDays", "logsDays", "auditDays", "usageDays"] as const satisfies readonly (keyof RetentionPolicy)[];

export function PrivacyTab() {
  const masks = useQuery(masksQuery());
  const retention = useQuery(retentionQuery());
  return (
    <div className="page-body">
      <QueryState query={masks} rows={3} />
      {masks.data === undefined ? null : <Masks key={JSON.stringify(masks.data)} policy={masks.data} />}
      {retention.data === undefined ? null : <Retention key={JSON.stringify(retention.data)} policy={retention.data} />}
      <HoldSection />
      <PersonSection />
    </div>
  );
}

function Masks({ policy }: { readonly policy: MaskPolicy }) {
  const { t } = useTranslation();
  const id = useId();
  const save = useAction(client.privacy.writeMasks, [["privacy"]]);
  const history = useAction(() => client.privacy.maskHistory(), []);
  const submit = (form: FormData): void => {
    const of = (place: MaskPlace) => kinds.filter((kind) => form.get(`${place} ${kind}`) !== null);
    const words = String(form.get("words"))
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    save.mutate(
      { input: of("input"), output: of("output"), stored: of("stored"), onInput: form.get("onInput") === "refuse" ? "refuse" : "mask", words },
      { onSuccess: () => showToast(t("privacy.saved")) },
    );
  };
  return (
    <section className="col" style={{ gap: 8 }}>
      <h2 className="label">{t("privacy.masks")}</h2>
      <p className="muted small">{t("privacy.masksHint")}</p>
      <form className="card col pad" style={{ gap: 14 }} onSubmit={(event) => (event.preventDefault(), submit(new FormData(event.currentTarget)))}>
        <TableScroll label={t("privacy.masks")}>
          <table className="counts text">
            <thead>
              <tr>
                <th scope="col">{t("privacy.kind")}</th>
                {places.map((place) => (
                  <th key={place} scope="col">
                    {t(`privacy.place.${place}`)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {kinds.map((kind) => (
                <tr key={kind}>
                  <th scope="row">{t(`privacy.kind.${kind}`)}</th>
                  {places.map((place) => (
                    <td key={place}>
                      <input
                        type="checkbox"
                        name={`${place} ${kind}`}
                        defaultChecked={policy[place].includes(kind)}
                        aria-label={`${t(`privacy.kind.${kind}`)}: ${t(`privacy.place.${place}`)}`}
                      />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
        <div className="field">
          <label htmlFor={`${id}-on`}>{t("privacy.onInput")}</label>
          <select id={`${id}-on`} name="onInput" className="input" defaultValue={policy.onInput}>
            <option value="mask">{t("privacy.onInput.mask")}</option>
            <option value="refuse">{t("privacy.onInput.refuse")}</option>
          </select>
        </div>
        <div className="field">
          <label htmlFor={`${id}-words`}>{t("privacy.words")}</label>
          <textarea id={`${id}-words`} name="words" className="input" rows={4} defaultValue={policy.words.join("\n")} />
          <span className="hint">{t("privacy.wordsHint")}</span>
        </div>
        {save.isError ? <ErrorCard error={save.error} /> : null}
        {history.isError ? <ErrorCard error={history.error} /> : null}
        <div className="row wrap">
          <Button look="primary" type="submit" busy={save.isPending}>
            {t("common.save")}
          </Button>
          <Button
            busy={history.isPending}
            onClick={() =>
              history.mutate(undefined, {
                onSuccess: (done) => showToast(t("privacy.historyDone", { count: done.turns + done.answers + done.gaps + done.chats })),
              })
            }
          >
            {t("privacy.history")}
          </Button>
        </div>
      </form>
    </section>
  );
}

function Retention({ policy }: { readonly policy: RetentionPolicy }) {
  const { t } = useTranslation();
  const id = useId();
  const save = useAction(client.privacy.writeRetention, [["privacy"]]);
  const run = useAction(() => client.privacy.runRetention(), []);
  const submit = (form: FormData): void =>
    save.mutate(Object.fromEntries(periods.map((name) => [name, String(form.get(name)) === "" ? null : Number(form.get(name))])), {
      onSuccess: () => showToast(t("privacy.saved")),
    });
  return (
    <section className="col" style={{ gap: 8 }}>
      <h2 className="label">{t("privacy.retention")}</h2>
      <p className="muted small">{t("privacy.retentionHint")}</p>
      <form className="card col pad" style={{ gap: 14 }} onSubmit={(event) => (event.preventDefault(), submit(new FormData(event.currentTarget)))}>
        {periods.map((name) => (
          <div key={name} className="field">
            <label htmlFor={`${id}-${name}`}>{t(`privacy.${name}`)}</label>
            <input
              id={`${id}-${name}`}
              name={name}
              type="number"
              min={1}
              max={36_500}
              className="input"
              defaultValue={policy[name] ?? ""}
              placeholder={t("privacy.forEver")}
            />
          </div>
        ))}
        {save.isError ? <ErrorCard error={save.error} /> : null}
        {run.isError ? <ErrorCard error={run.error} /> : null}
        <div className="row wrap">
          <Button look="primary" type="submit" busy={save.isPending}>
            {t("common.save")}
          </Button>
          <Button
            busy={run.isPending}
            onClick={() =>
              run.mutate(undefined, {
                onSuccess: ({ removed, held }) =>
                  showToast(t("privacy.ran", { count: Object.values(removed).reduce((sum, count) => sum + count, 0), held })),
              })
            }
          >
            {t("privacy.run")}
          </Button>
        </div>
      </form>
    </section>
  );
}

function PersonSection() {
  const { t } = useTranslation();
  const id = useId();
  const people = useQuery(peopleQuery());
  const [chosen, setChosen] = useState("");
  const [asking, setAsking] = useState(false);
  const [report, setReport] = useState<ErasureReport | null>(null);
  const person = people.data?.find((item) => item.id === chosen);
  return (
    <section className="col" style={{ gap: 8 }}>
      <h2 className="label">{t("privacy.person")}</h2>
      <p className="muted small">{t("privacy.personHint")}</p>
      <div className="row wrap">
        <label className="row small" htmlFor={`${id}-person`}>
          {t("privacy.whose")}
        </label>
        <select id={`${id}-person`} className="input fit" value={chosen} onChange={(event) => setChosen(event.target.value)}>
          <option value="">–</option>
          {people.data?.map((item) => (
            <option key={item.id} value={item.id}>
              {item.name}
            </option>
          ))}
        </select>
        {person === undefined ? null : (
          <>
            <a className="button small" href={client.privacy.exportPersonUrl(person.id)} download>
              <DownloadIcon size={14} aria-hidden />
              {t("privacy.export")}
            </a>
            <Button small look="danger" onClick={() => setAsking(true)}>
              {t("privacy.erase")}
            </Button>
          </>
        )}
      </div>
      {report === null ? null : <Report report={report} />}
      {asking && person !== undefined ? (
        <EraseDialog
          id={person.id}
          name={person.name}
          onDone={(done) => (setReport(done), setAsking(false), setChosen(""))}
          onClose={() => setAsking(false)}
        />
      ) : null}
    </section>
  );
}

function EraseDialog(props: {
  readonly id: string;
  readonly name: string;
  readonly onDone: (report: ErasureReport) => void;
  readonly onClose: () => void;
}) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState("");
  const erase = useAction(() => client.privacy.erasePerson(props.id), [["people"], ["privacy"], ["keys"]]);
  return (
    <Dialog title={t("privacy.eraseTitle", { name: props.name })} onClose={props.onClose}>
      <form className="col" style={{ gap: 14 }} onSubmit={(event) => (event.preventDefault(), erase.mutate(undefined, { onSuccess: props.onDone }))}>
        <p>{t("privacy.eraseHint")}</p>
        <div className="field">
          <label htmlFor="erase-name">{t("privacy.eraseType", { name: props.name })}</label>
          <input id="erase-name" className="input" value={typed} onChange={(event) => setTyped(event.target.value)} autoComplete="off" autoFocus />
        </div>
        {erase.isError ? <ErrorCard error={erase.error} /> : null}
        <div className="actions">
          <Button onClick={props.onClose}>{t("common.cancel")}</Button>
          <Button look="danger" type="submit" busy={erase.isPending} disabled={typed.trim() !== props.name}>
            {t("privacy.erase")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Report({ report }: { readonly report: ErasureReport }) {
  const { t, i18n } = useTranslation();
  const isClean = report.traces.length === 0;
  return (
    <Notice tone={isClean ? "plain" : "warn"} icon={isClean ? OkIcon : WarnIcon}>
      <p role="status">
        <strong>{isClean ? t("privacy.noTrace") : t("privacy.traces", { where: report.traces.join(", ") })}</strong>
      </p>
      <ul>
        {Object.entries(report.erased).map(([where, count]) => (
          <li key={where}>{t("privacy.erasedRows", { where, count })}</li>
        ))}
        {report.kept.map((item) => (
          <li key={item.what}>{i18n.language.startsWith("zh") ? item.zh : item.why}</li>
        ))}
      </ul>
    </Notice>
  );
}
