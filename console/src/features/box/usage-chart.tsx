/** @file Tokens by day as bars, prompt below and completion above; its title says the sum, and the table lies behind it. */
import { useTranslation } from "react-i18next";
import type { UsageSum } from "#contracts";
import { useFormat } from "../../ui/format.ts";
import { TableScroll } from "../../ui/table-scroll.tsx";

const width = 720;
const height = 180;
const left = 52;
const bottom = 22;

type Day = { readonly day: string; readonly prompt: number; readonly completion: number; readonly requests: number };

/** Days without usage are bars of nothing, not gaps. */
function everyDay(rows: readonly UsageSum[], from: string, days: number): readonly Day[] {
  const start = Date.parse(`${from}T00:00:00Z`);
  return Array.from({ length: days }, (_, i) => {
    const day = new Date(start + i * 86_400_000).toISOString().slice(0, 10);
    const row = rows.find((item) => item.day === day);
    return { day, prompt: row?.promptTokens ?? 0, completion: row?.completionTokens ?? 0, requests: row?.requests ?? 0 };
  });
}

/** 1, 2 or 5 times a power of ten: a scale that can be read. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

export function UsageChart({ rows, from, days }: { readonly rows: readonly UsageSum[]; readonly from: string; readonly days: number }) {
  const { t } = useTranslation();
  const { number, locale } = useFormat();
  const list = everyDay(rows, from, days);
  const total = list.reduce((sum, day) => sum + day.prompt + day.completion, 0);
  const top = roundUp(Math.max(1, ...list.map((day) => day.prompt + day.completion)));
  const step = (width - left) / list.length;
  const y = (value: number): number => (height - bottom) * (1 - value / top);
  const label = (day: string): string =>
    new Intl.DateTimeFormat(locale, { month: "short", day: "numeric", timeZone: "UTC" }).format(Date.parse(`${day}T00:00:00Z`));
  const title = t("usage.chartTitle", { tokens: number(total), count: days });
  return (
    <figure className="card chart">
      <figcaption>
        <strong>{title}</strong>
        <span className="row small muted">
          <span className="swatch prompt" aria-hidden="true" /> {t("usage.prompt")}
          <span className="swatch completion" aria-hidden="true" /> {t("usage.completion")}
        </span>
      </figcaption>
      {total === 0 ? null : (
        <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={title}>
          {[0, top / 2, top].map((value) => (
            <g key={value}>
              <line className="grid" x1={left} x2={width} y1={y(value)} y2={y(value)} />
              <text x={left - 6} y={Math.max(10, y(value) + 4)} textAnchor="end">
                {number(value, { notation: "compact" })}
              </text>
            </g>
          ))}
          {list.map((day, i) => (
            <g key={day.day}>
              <title>{`${label(day.day)}: ${number(day.prompt + day.completion)}`}</title>
              <rect
                className="prompt"
                x={left + i * step + step * 0.15}
                width={step * 0.7}
                y={y(day.prompt)}
                height={height - bottom - y(day.prompt)}
              />
              <rect
                className="completion"
                x={left + i * step + step * 0.15}
                width={step * 0.7}
                y={y(day.prompt + day.completion)}
                height={y(day.prompt) - y(day.prompt + day.completion)}
              />
              {i % Math.ceil(list.length / 8) === 0 ? (
                <text x={left + i * step + step / 2} y={height - 6} textAnchor="middle">
                  {label(day.day)}
                </text>
              ) : null}
            </g>
          ))}
        </svg>
      )}
      <details>
        <summary className="small">{t("usage.table")}</summary>
        <TableScroll label={t("usage.table")}>
          <table className="counts">
            <thead>
              <tr>
                <th scope="col">{t("usage.day")}</th>
                <th scope="col">{t("usage.requests")}</th>
                <th scope="col">{t("usage.prompt")}</th>
                <th scope="col">{t("usage.completion")}</th>
              </tr>
            </thead>
            <tbody>
              {list
                .filter((day) => day.requests > 0)
                .map((day) => (
                  <tr key={day.day}>
                    <th scope="row">{day.day}</th>
                    <td>{number(day.requests)}</td>
                    <td>{number(day.prompt)}</td>
                    <td>{number(day.completion)}</td>
                  </tr>
                ))}
            </tbody>
          </table>
        </TableScroll>
      </details>
    </figure>
  );
}
