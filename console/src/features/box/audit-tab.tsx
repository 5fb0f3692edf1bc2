/** @file The audit log: who did what, whether it is whole, and taking it out. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { AuditEntry, AuditVerdict } from "#contracts";
import { client } from "../../api/client.ts";
import { auditPages, auditStatusQuery, useAction } from "../../api/queries.ts";
import { auditWords } from "../../i18n/audit-words.ts";
import { Badge, Button, Notice } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { AlertIcon, DownloadIcon, OkIcon, WarnIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { TableScroll } from "../../ui/table-scroll.tsx";

const kinds = ["session.", "person.", "key.", "access.", "answer.", "document.", "base.", "audit."] as const;

export function AuditTab() {
  const { t } = useTranslation();
  const { number } = useFormat();
  const [action, setAction] = useState("");
  const status = useQuery(auditStatusQuery());
  const verify = useAction(() => client.audit.verify(), []);
  const pages = useInfiniteQuery(auditPages(action === "" ? {} : { action }));
  const entries = pages.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="page-body">
      <div className="row wrap">
        <Button small busy={verify.isPending} onClick={() => verify.mutate(undefined)}>
          {t("audit.verify")}
        </Button>
        <label className="row small">
          {t("audit.filter")}
          <select className="input fit" value={action} onChange={(event) => setAction(event.target.value)}>
            <option value="">{t("audit.all")}</option>
            {kinds.map((kind) => (
              <option key={kind} value={kind}>
                {kind.slice(0, -1)}
              </option>
            ))}
          </select>
        </label>
        <span className="row end">
          <a className="button small" href={client.audit.exportUrl("jsonl")} download>
            <DownloadIcon size={14} aria-hidden />
            JSON Lines
          </a>
          <a className="button small" href={client.audit.exportUrl("syslog")} download>
            <DownloadIcon size={14} aria-hidden />
            syslog
          </a>
        </span>
      </div>
      {status.data === undefined ? null : (
        <p className="muted small">
          {t("audit.rows", { count: status.data.rows, rows: number(status.data.rows) })} · {t("audit.fingerprint")}{" "}
          <code>{status.data.fingerprint}</code>
          {status.data.syslog === null
            ? null
            : ` · ${t("audit.syslog", { target: status.data.syslog.target, waiting: number(status.data.syslog.waiting) })}`}
        </p>
      )}
      {verify.isError ? <ErrorCard error={verify.error} /> : null}
      {verify.data === undefined ? null : <Verdict verdict={verify.data} />}
      <QueryState query={pages} rows={5} />
      {pages.isSuccess && entries.length === 0 ? <p className="muted small">{t("audit.empty")}</p> : null}
      {entries.length > 0 ? (
        <TableScroll card label={t("box.audit")}>
          <table className="counts text">
            <thead>
              <tr>
                <th scope="col">{t("audit.row")}</th>
                <th scope="col">{t("audit.time")}</th>
                <th scope="col">{t("audit.who")}</th>
                <th scope="col">{t("audit.action")}</th>
                <th scope="col">{t("audit.subject")}</th>
                <th scope="col">{t("audit.outcome")}</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Row key={entry.seq} entry={entry} />
              ))}
            </tbody>
          </table>
        </TableScroll>
      ) : null}
      {pages.hasNextPage ? (
        <Button small busy={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          {t("audit.more")}
        </Button>
      ) : null}
    </div>
  );
}

function Row({ entry }: { readonly entry: AuditEntry }) {
  const { t, i18n } = useTranslation();
  const words = auditWords(i18n.language);
  const { locale } = useFormat();
  const details = Object.entries(entry.details)
    .map(([key, value]) => `${key}: ${String(value)}`)
    .join("; ");
  return (
    <tr title={details === "" ? undefined : details}>
      <td>{entry.seq}</td>
      <td>{new Intl.DateTimeFormat(locale, { dateStyle: "short", timeStyle: "medium" }).format(Date.parse(entry.at))}</td>
      <td>{entry.actor === null ? t("audit.erased") : entry.actor.name === "" ? t("audit.nobody") : entry.actor.name}</td>
      <td title={entry.action}>{words.action(entry.action)}</td>
      <td className="clip">{entry.subject === null ? "" : `${words.kind(entry.subject.kind)} ${entry.subject.id}`}</td>
      <td>
        <Badge tone={entry.outcome === "ok" ? "ok" : "warn"} icon={entry.outcome === "ok" ? OkIcon : WarnIcon}>
          {t(`audit.outcome.${entry.outcome}`)}
        </Badge>
      </td>
    </tr>
  );
}

function Verdict({ verdict }: { readonly verdict: AuditVerdict }) {
  const { t } = useTranslation();
  const { number } = useFormat();
  if (verdict.ok)
    return (
      <Notice tone="plain" icon={OkIcon}>
        <p role="status">{t("audit.whole", { count: verdict.rows, rows: number(verdict.rows) })}</p>
      </Notice>
    );
  return (
    <Notice tone="bad" icon={AlertIcon}>
      <p role="alert">
        <strong>{t("audit.broken", { count: verdict.problemCount })}</strong>
      </p>
      <ul>
        {verdict.problems.slice(0, 20).map(({ kind, from, to }) => (
          <li key={`${kind} ${from}`}>
            {t(`audit.problem.${kind}`)}
            {kind === "head" ? "" : ` ${from === to ? t("audit.oneRow", { row: from }) : t("audit.rowsFrom", { from, to })}`}
          </li>
        ))}
      </ul>
    </Notice>
  );
}
