/** @file Rows of usage and quotas: what was used, summed as asked; who may use how much. */
import type { Connection, SqlValue } from "./connection.ts";

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

export type UsageSum = {
  readonly day: string | null;
  readonly personId: string | null;
  readonly teamId: string | null;
  readonly keyId: string | null;
  readonly model: string | null;
  readonly requests: number;
  readonly calls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
};

export type UsageFilter = {
  /** Days, inclusive. */
  readonly from?: string;
  readonly to?: string;
  readonly personId?: string;
  readonly teamId?: string;
  readonly keyId?: string;
  readonly model?: string;
};

export type UsageGroup = "day" | "person" | "team" | "key" | "model";

export type QuotaLimits = {
  readonly requestsPerMinute: number | null;
  readonly requestsPerDay: number | null;
  readonly tokensPerMinute: number | null;
  readonly tokensPerDay: number | null;
  readonly tokensPerMonth: number | null;
  readonly concurrent: number | null;
};
export type QuotaKind = "everyone" | "person" | "team" | "key";
export type QuotaRow = QuotaLimits & { readonly kind: QuotaKind; readonly subject: string; readonly updatedAt: string };

const groups = { day: "day", person: "person", team: "team", key: "key", model: "model" } as const satisfies Record<UsageGroup, string>;
const owners = { person: "person", team: "team", key: "key" } as const;

export type UsageRepository = ReturnType<typeof createUsageRepository>;

export function createUsageRepository(connection: Connection) {
  return {
    insert(row: UsageRow): void {
      connection.run(
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
    },
    /** Requests and tokens of one owner since a moment (UTC, inclusive). */
    since(owner: keyof typeof owners, id: string, at: string): { readonly requests: number; readonly tokens: number } {
      return (
        connection.get<{ requests: number; tokens: number }>(
          `SELECT coalesce(sum(first), 0) AS requests, coalesce(sum(prompt_tokens + completion_tokens), 0) AS tokens FROM usage WHERE ${owners[owner]} = ? AND at >= ?`,
          id,
          at,
        ) ?? { requests: 0, tokens: 0 }
      );
    },
    /** Rows of one owner since a moment, oldest first: when each leaves a window. */
    listSince: (
      owner: keyof typeof owners,
      id: string,
      at: string,
    ): readonly { readonly at: string; readonly requests: number; readonly tokens: number }[] =>
      connection.all(
        `SELECT at, first AS requests, prompt_tokens + completion_tokens AS tokens FROM usage WHERE ${owners[owner]} = ? AND at >= ? ORDER BY at`,
        id,
        at,
      ),
    sum(by: readonly UsageGroup[], filter: UsageFilter = {}): readonly UsageSum[] {
      const found = condition(filter);
      const columns = by.map((name) => groups[name]);
      const shown = (name: UsageGroup, as: string): string => (by.includes(name) ? `${groups[name]} AS ${as}` : `NULL AS ${as}`);
      return connection.all<UsageSum>(
        `SELECT ${shown("day", "day")}, ${shown("person", "personId")}, ${shown("team", "teamId")}, ${shown("key", "keyId")}, ${shown("model", "model")},
           coalesce(sum(first), 0) AS requests, count(*) AS calls, coalesce(sum(prompt_tokens), 0) AS promptTokens,
           coalesce(sum(completion_tokens), 0) AS completionTokens, coalesce(sum(cached_tokens), 0) AS cachedTokens
         FROM usage${found.sql}${columns.length === 0 ? "" : ` GROUP BY ${columns.join(", ")} ORDER BY ${columns.join(", ")}`}`,
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
    ["team = ?", filter.teamId],
    ["key = ?", filter.keyId],
    ["model = ?", filter.model],
  ] as const) {
    if (value === undefined) continue;
    parts.push(sql);
    values.push(value);
  }
  return { sql: parts.length === 0 ? "" : ` WHERE ${parts.join(" AND ")}`, values };
}
