/** @file Rows of usage and quotas: what was used, summed as asked; who may use how much. */
import type { Quota, QuotaKind, UsageGroup, UsageQuery, UsageSum } from "#contracts";
import type { Connection, SqlValue } from "./connection.ts";

type UsageFilter = Omit<UsageQuery, "by">;

export type UsageRow = {
  readonly id: string;
  readonly request: string;
  readonly first: boolean;
  readonly at: string;
  readonly day: string;
  readonly kind: string;
  readonly model: string;
  readonly personId: string | null;
  readonly teamId: string | null;
  readonly keyId: string | null;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  readonly ms: number;
  readonly outcome: "done" | "cancelled" | "failed";
};

export type QuotaRow = Quota;

const groups = { day: "day", person: "person", team: "t.team", key: "key", model: "model" } as const satisfies Record<UsageGroup, string>;
/** Rows of one owner since a moment; a team's are those of its keys, its people and the teams below it. */
const ownSql = {
  person: "FROM usage u WHERE u.person = ? AND u.at >= ?",
  key: "FROM usage u WHERE u.key = ? AND u.at >= ?",
  team: "FROM usage_teams t JOIN usage u ON u.id = t.usage WHERE t.team = ? AND t.at >= ?",
} as const;

export type UsageRepository = ReturnType<typeof createUsageRepository>;

export function createUsageRepository(connection: Connection) {
  const insertRow = (row: UsageRow): void =>
    void connection.run(
      `INSERT INTO usage (id, request, first, at, day, kind, model, person, team, key, prompt_tokens, completion_tokens, cached_tokens, ms, outcome)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      row.id,
      row.request,
      row.first ? 1 : 0,
      row.at,
      row.day,
      row.kind,
      row.model,
      row.personId,
      row.teamId,
      row.keyId,
      row.promptTokens,
      row.completionTokens,
      row.cachedTokens,
      row.ms,
      row.outcome,
    );
  return {
    /** Survives a killed process; a power cut from `flushed` on. */
    insert(row: UsageRow, teams: readonly string[] = []): void {
      connection.transaction(
        () => {
          insertRow(row);
          for (const team of teams) connection.run("INSERT INTO usage_teams (team, at, usage) VALUES (?, ?, ?)", team, row.at, row.id);
        },
        { durable: false },
      );
    },
    flushed: (): Promise<void> => connection.flushed(),
    /** Requests and tokens of one owner since a moment (UTC, inclusive). */
    since(owner: keyof typeof ownSql, id: string, at: string): { readonly requests: number; readonly tokens: number } {
      return (
        connection.get<{ requests: number; tokens: number }>(
          `SELECT coalesce(sum(u.first), 0) AS requests, coalesce(sum(u.prompt_tokens + u.completion_tokens), 0) AS tokens ${ownSql[owner]}`,
          id,
          at,
        ) ?? { requests: 0, tokens: 0 }
      );
    },
    /** Rows of one owner since a moment, oldest first: when each leaves a window. */
    listSince: (
      owner: keyof typeof ownSql,
      id: string,
      at: string,
    ): readonly { readonly at: string; readonly requests: number; readonly tokens: number }[] =>
      connection.all(`SELECT u.at, u.first AS requests, u.prompt_tokens + u.completion_tokens AS tokens ${ownSql[owner]} ORDER BY u.at`, id, at),
    /** By team, each row counts for every team it was for: people may be in several. */
    sum(by: readonly UsageGroup[], filter: UsageFilter = {}): readonly UsageSum[] {
      const found = condition(filter);
      const columns = by.map((name) => groups[name]);
      const shown = (name: UsageGroup, as: string): string => (by.includes(name) ? `${groups[name]} AS ${as}` : `NULL AS ${as}`);
      return connection.all<UsageSum>(
        `SELECT ${shown("day", "day")}, ${shown("person", "personId")}, ${shown("team", "teamId")}, ${shown("key", "keyId")}, ${shown("model", "model")},
           coalesce(sum(first), 0) AS requests, count(*) AS calls, coalesce(sum(prompt_tokens), 0) AS promptTokens,
           coalesce(sum(completion_tokens), 0) AS completionTokens, coalesce(sum(cached_tokens), 0) AS cachedTokens
         FROM usage u${by.includes("team") ? " LEFT JOIN usage_teams t ON t.usage = u.id" : ""}${found.sql}${columns.length === 0 ? "" : ` GROUP BY ${columns.join(", ")} ORDER BY ${columns.join(", ")}`}`,
        ...found.values,
      );
    },
    readQuota: (kind: QuotaKind, subject: string): QuotaRow | undefined =>
      connection.get<QuotaRow>(`SELECT ${quotaColumns} FROM quotas WHERE kind = ? AND subject = ?`, kind, subject),
    listQuotas: (): readonly QuotaRow[] => connection.all<QuotaRow>(`SELECT ${quotaColumns} FROM quotas ORDER BY kind, subject`),
    /** A row with every limit null goes. */
    writeQuota({ kind, subject, updatedAt, ...limits }: QuotaRow): void {
      const values = [
        limits.requestsPerMinute,
        limits.requestsPerDay,
        limits.tokensPerMinute,
        limits.tokensPerDay,
        limits.tokensPerMonth,
        limits.concurrent,
      ];
      connection.transaction(() => {
        connection.run("DELETE FROM quotas WHERE kind = ? AND subject = ?", kind, subject);
        if (values.every((value) => value === null)) return;
        connection.run(
          `INSERT INTO quotas (kind, subject, requests_per_minute, requests_per_day, tokens_per_minute, tokens_per_day, tokens_per_month, concurrent, updated_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          kind,
          subject,
          ...values,
          updatedAt,
        );
      });
    },
    removeBefore: (day: string): number => connection.run("DELETE FROM usage WHERE day < ?", day).changes,
  };
}

const quotaColumns = `kind, subject, requests_per_minute AS requestsPerMinute, requests_per_day AS requestsPerDay, tokens_per_minute AS tokensPerMinute,
  tokens_per_day AS tokensPerDay, tokens_per_month AS tokensPerMonth, concurrent, updated_at AS updatedAt`;

function condition(filter: UsageFilter): { readonly sql: string; readonly values: SqlValue[] } {
  const parts: string[] = [];
  const values: SqlValue[] = [];
  for (const [sql, value] of [
    ["day >= ?", filter.from],
    ["day <= ?", filter.to],
    ["person = ?", filter.personId],
    ["u.id IN (SELECT usage FROM usage_teams WHERE team = ?)", filter.teamId],
    ["key = ?", filter.keyId],
    ["model = ?", filter.model],
  ] as const) {
    if (value === undefined) continue;
    parts.push(sql);
    values.push(value);
  }
  return { sql: parts.length === 0 ? "" : ` WHERE ${parts.join(" AND ")}`, values };
}
