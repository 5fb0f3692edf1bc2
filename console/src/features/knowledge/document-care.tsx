/** @file Care for a document: approval, who answers for it, when somebody should look again. */
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { DocumentInfo } from "#contracts";
import { client } from "../../api/client.ts";
import { directoryQuery, useAction } from "../../api/queries.ts";
import { Button, Notice } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { CheckIcon, ReviewIcon, WaitingIcon } from "../../ui/icons.ts";

const stale = (document: DocumentInfo): readonly (readonly string[])[] => [["document", document.id], ["documents", document.kbId], ["reviews"]];

/** What waits, and the buttons of those who may decide. */
export function ApprovalNotice({ document, manages }: { readonly document: DocumentInfo; readonly manages: boolean }) {
  const { t } = useTranslation();
  const decide = useAction((approved: boolean) => client.knowledge.approveDocument(document.id, approved), stale(document));
  const { waiting } = document;
  if (document.approved && waiting === null) return null;
  return (
    <div className="col" style={{ gap: 8, marginBottom: 16 }}>
      <Notice
        tone="warn"
        icon={WaitingIcon}
        action={
          manages ? (
            <span className="row wrap" style={{ gap: 8 }}>
              <Button small icon={CheckIcon} busy={decide.isPending} onClick={() => decide.mutate(true)}>
                {t("care.approve")}
              </Button>
              {waiting === null ? null : (
                <Button small look="quiet" disabled={decide.isPending} onClick={() => decide.mutate(false)}>
                  {t("care.reject")}
                </Button>
              )}
            </span>
          ) : undefined
        }
      >
        {waiting === null ? (
          t("care.waits")
        ) : (
          <>
            {t("care.newVersionWaits", { version: waiting.version, current: document.version })}{" "}
            <a href={client.knowledge.originalUrl(document.id, waiting.versionId)} download>
              {t("care.openWaiting")}
            </a>
          </>
        )}
      </Notice>
      {decide.isError ? <ErrorCard error={decide.error} /> : null}
    </div>
  );
}

export function ReviewFacts({ document, manages }: { readonly document: DocumentInfo; readonly manages: boolean }) {
  const { t } = useTranslation();
  const directory = useQuery({ ...directoryQuery(), enabled: manages });
  const save = useAction(
    (patch: { readonly ownerId?: string | null; readonly reviewAt?: string | null }) => client.knowledge.updateDocument(document.id, patch),
    stale(document),
  );
  const due = document.reviewAt !== null && document.reviewAt <= new Date().toISOString().slice(0, 10);
  const writes = document.level !== "read";
  const people = directory.data?.people ?? (document.owner === null ? [] : [document.owner]);
  if (!writes && document.owner === null && document.reviewAt === null) return null;
  return (
    <section>
      <h2 className="label row">
        <ReviewIcon size={14} aria-hidden />
        {t("care.title")}
      </h2>
      <div className="field">
        <label htmlFor="care-owner">{t("care.owner")}</label>
        <select
          id="care-owner"
          className="input"
          value={document.owner?.id ?? ""}
          disabled={!manages || save.isPending}
          onChange={(event) => save.mutate({ ownerId: event.target.value === "" ? null : event.target.value })}
        >
          <option value="">{t("care.nobody")}</option>
          {people.map((person) => (
            <option key={person.id} value={person.id}>
              {person.name}
            </option>
          ))}
        </select>
      </div>
      <div className="field">
        <label htmlFor="care-review">{t("care.review")}</label>
        <input
          id="care-review"
          type="date"
          className="input"
          key={document.reviewAt}
          defaultValue={document.reviewAt ?? ""}
          disabled={!writes || save.isPending}
          onBlur={(event) => {
            const next = event.target.value === "" ? null : event.target.value;
            if (next !== document.reviewAt) save.mutate({ reviewAt: next });
          }}
        />
        {due ? (
          <span>
            <span className="tag warn">{t("care.due")}</span>
          </span>
        ) : null}
      </div>
      {due && writes ? (
        <Button small icon={CheckIcon} busy={save.isPending} onClick={() => save.mutate({ reviewAt: inAYear() })}>
          {t("care.stillRight")}
        </Button>
      ) : null}
      {save.isError ? <ErrorCard error={save.error} /> : null}
    </section>
  );
}

function inAYear(): string {
  const day = new Date();
  day.setFullYear(day.getFullYear() + 1);
  return day.toISOString().slice(0, 10);
}
