/** @file Usage: a chart of tokens by day with the table behind it, and the same by person, key or model. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { UsageGroup, UsageSum } from "#contracts";
import { client } from "../../api/client.ts";
import { keysQuery, pagesQuery, peopleQuery, sessionQuery, usageQuery } from "../../api/queries.ts";
import { useFormat } from "../../ui/format.ts";
import { DownloadIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { TableScroll } from "../../ui/table-scroll.tsx";
import { UsageChart } from "./usage-chart.tsx";

const spans = [7, 30, 90] as const;
const groups = ["model", "person", "key"] as const satisfies readonly UsageGroup[];
const fields = { model: "model", person: "personId", key: "keyId" } as const;

/** The box's day is asked for by the browser's calendar: the same place, nearly always. */
function dayBefore(days: number): string {
  const at = new Date();
  at.setDate(at.getDate() - days);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
}

export function UsageTab() {
  const { t } = useTranslation();
  const [days, setDays] = useState<(typeof spans)[number]>(30);
  const [group, setGroup] = useState<(typeof groups)[number]>("model");
  const from = dayBefore(days - 1);
  const byDay = useQuery(usageQuery({ by: ["day"], from }));
  const byGroup = useQuery(usageQuery({ by: [group], from }));
  return (
    <div className="page-body">
      <div className="row wrap">
        <label className="row small">
          {t("usage.span")}
          <select className="input fit" value={days} onChange={(event) => setDays(Number(event.target.value) as typeof days)}>
            {spans.map((span) => (
              <option key={span} value={span}>
                {t("usage.lastDays", { count: span })}
              </option>
            ))}
          </select>
        </label>
        <a className="button small end" href={client.usage.csvUrl({ from })} download>
          <DownloadIcon size={14} aria-hidden />
          {t("usage.csv")}
        </a>
      </div>
      <QueryState query={byDay} rows={3} />
      {byDay.data === undefined ? null : byDay.data.length === 0 ? (
        <p className="muted">{t("usage.none")}</p>
      ) : (
        <UsageChart rows={byDay.data} from={from} days={days} />
      )}
      <section className="col" style={{ gap: 8 }}>
        <label className="row small">
          {t("usage.by")}
          <select className="input fit" value={group} onChange={(event) => setGroup(event.target.value as typeof group)}>
            {groups.map((name) => (
              <option key={name} value={name}>
                {t(`usage.by.${name}`)}
              </option>
            ))}
          </select>
        </label>
        {byGroup.data === undefined ? null : <UsageTable rows={byGroup.data} group={group} />}
      </section>
    </div>
  );
}

function UsageTable({ rows, group }: { readonly rows: readonly UsageSum[]; readonly group: (typeof groups)[number] }) {
  const { t } = useTranslation();
  const { number } = useFormat();
  const session = useQuery(sessionQuery());
  const isAdministrator = session.data?.actor?.role === "administrator";
  const people = useQuery({ ...peopleQuery(), enabled: isAdministrator });
  const keys = useQuery(keysQuery());
  const pages = useQuery({ ...pagesQuery(), enabled: isAdministrator });
  const nameOf = (row: UsageSum): string => {
    const id = row[fields[group]];
    if (id === null || id === "") return group === "model" ? t("usage.noModel") : t("usage.nobody");
    if (group === "person") return people.data?.find((person) => person.id === id)?.name ?? id;
    if (group === "key" && id.startsWith("page:"))
      return t("usage.page", { name: pages.data?.find((page) => `page:${page.id}` === id)?.name ?? id.slice(5) });
    if (group === "key") return keys.data?.find((key) => key.id === id)?.name ?? id;
    return id;
  };
  return (
    <TableScroll card label={t("box.usage")}>
      <table className="counts">
        <thead>
          <tr>
            <th scope="col">{t(`usage.by.${group}`)}</th>
            <th scope="col">{t("usage.requests")}</th>
            <th scope="col">{t("usage.prompt")}</th>
            <th scope="col">{t("usage.completion")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row[fields[group]] ?? ""}>
              <th scope="row">{nameOf(row)}</th>
              <td>{number(row.requests)}</td>
              <td>{number(row.promptTokens)}</td>
              <td>{number(row.completionTokens)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
