/** @file Legal holds: what must not go, and why. */
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Hold } from "#contracts";
import { client } from "../../api/client.ts";
import { basesQuery, holdsQuery, peopleQuery, useAction } from "../../api/queries.ts";
import { Button } from "../../ui/basics.tsx";
import { ErrorCard, useErrorWords } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { showToast } from "../../ui/toasts.tsx";

export function HoldSection() {
  const { t } = useTranslation();
  const id = useId();
  const holds = useQuery(holdsQuery());
  const people = useQuery(peopleQuery());
  const bases = useQuery(basesQuery());
  const [reason, setReason] = useState("");
  const add = useAction(client.privacy.addHold, [["privacy"]]);
  const open = holds.data?.filter((hold) => hold.releasedAt === null) ?? [];
  const nameOf = (hold: Hold): string =>
    hold.kind === "everything"
      ? t("hold.everything")
      : (people.data?.find((person) => person.id === hold.subject)?.name ??
        bases.data?.find((base) => base.id === hold.subject)?.name ??
        hold.subject);
  const submit = (form: FormData): void => {
    const [kind = "everything", subject = ""] = String(form.get("subject")).split(" ");
    add.mutate({ kind: kind as Hold["kind"], subject, reason: reason.trim() }, { onSuccess: () => setReason("") });
  };
  return (
    <section className="col" style={{ gap: 8 }}>
      <h2 className="label">{t("hold.title")}</h2>
      <p className="muted small">{t("hold.hint")}</p>
      {open.length > 0 ? (
        <ul className="card lines">
          {open.map((hold) => (
            <HoldRow key={hold.id} hold={hold} name={nameOf(hold)} />
          ))}
        </ul>
      ) : null}
      <form className="row wrap" onSubmit={(event) => (event.preventDefault(), submit(new FormData(event.currentTarget)))}>
        <select name="subject" className="input fit" aria-label={t("hold.what")}>
          <option value="everything">{t("hold.everything")}</option>
          {people.data?.map((person) => (
            <option key={person.id} value={`person ${person.id}`}>
              {person.name}
            </option>
          ))}
          {bases.data?.map((base) => (
            <option key={base.id} value={`base ${base.id}`}>
              {base.name}
            </option>
          ))}
        </select>
        <input
          id={`${id}-reason`}
          className="input fit"
          required
          maxLength={500}
          aria-label={t("hold.reason")}
          placeholder={t("hold.reason")}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
        <Button small type="submit" busy={add.isPending}>
          {t("hold.add")}
        </Button>
      </form>
      {add.isError ? <ErrorCard error={add.error} /> : null}
    </section>
  );
}

function HoldRow({ hold, name }: { readonly hold: Hold; readonly name: string }) {
  const { t } = useTranslation();
  const { date } = useFormat();
  const words = useErrorWords();
  const release = useAction(() => client.privacy.releaseHold(hold.id), [["privacy"]]);
  return (
    <li className="model row wrap">
      <strong className="clip">{name}</strong>
      <span className="muted small clip">{hold.reason}</span>
      <span className="row end">
        <span className="muted tiny">{date(hold.createdAt)}</span>
        <Button small busy={release.isPending} onClick={() => release.mutate(undefined, { onError: (error) => showToast(words(error).message) })}>
          {t("hold.release")}
        </Button>
      </span>
    </li>
  );
}
