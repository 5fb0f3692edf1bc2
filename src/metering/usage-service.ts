/** @file Usage and quotas for people: who sees what, and the table for a spreadsheet. */
import { StarboxError } from "#base";
import type { Actor, Quota, QuotaLimits, UsageQuery, UsageService, UsageSum } from "#contracts";
import type { UsageRepository } from "#storage";

export type UsageNames = {
  person(id: string): string | null;
  team(id: string): string | null;
  key(id: string): string | null;
};

const noLimits: QuotaLimits = {
  requestsPerMinute: null,
  requestsPerDay: null,
  tokensPerMinute: null,
  tokensPerDay: null,
  tokensPerMonth: null,
  concurrent: null,
};

type Options = {
  readonly store: Pick<UsageRepository, "sum" | "listQuotas" | "writeQuota">;
  readonly names: UsageNames;
  readonly now?: () => number;
};

export function createUsageService({ store, names, now = Date.now }: Options): UsageService {
  const sum: UsageService["sum"] = async (actor, { by = ["day"], ...query }) => store.sum([...new Set(by)], mine(actor, query));
  return {
    sum,
    async csv(actor, query) {
      const by = query.by ?? ["day", "person", "key", "model"];
      const rows = await sum(actor, { ...query, by });
      return toCsv(rows, names);
    },
    async listQuotas(actor) {
      const own = (quota: Quota): boolean =>
        quota.kind === "everyone" ||
        (quota.kind === "person" && quota.subject === actor.personId) ||
        (quota.kind === "key" && quota.subject === actor.key?.id) ||
        (quota.kind === "team" && quota.subject === actor.teamId);
      return store.listQuotas().filter((quota) => seesAll(actor) || own(quota));
    },
    async writeQuota(actor, { kind, subject, ...limits }) {
      if (!seesAll(actor)) throw notAllowed();
      if (kind === "everyone" ? subject !== "" : (names[kind](subject) ?? null) === null) throw noSubject(kind, subject);
      const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
      const quota: Quota = { ...noLimits, ...given, kind, subject, updatedAt: new Date(now()).toISOString() };
      store.writeQuota(quota);
      return quota;
    },
  };
}

const seesAll = (actor: Actor): boolean =>
  actor.role === "operator" || (actor.role === "administrator" && (actor.key?.bases ?? null) === null && (actor.key?.models ?? null) === null);

/** Others see what is theirs, whatever they ask for. */
function mine(actor: Actor, query: UsageQuery): UsageQuery {
  if (seesAll(actor)) return query;
  if (actor.personId !== null) return { ...query, personId: actor.personId };
  return { ...query, keyId: actor.key?.id ?? "" };
}

const columns = [
  ["day", (row: UsageSum) => row.day],
  ["person_id", (row: UsageSum) => row.personId],
  ["person", (row: UsageSum, names: UsageNames) => (row.personId === null ? null : names.person(row.personId))],
  ["team_id", (row: UsageSum) => row.teamId],
  ["team", (row: UsageSum, names: UsageNames) => (row.teamId === null ? null : names.team(row.teamId))],
  ["key_id", (row: UsageSum) => row.keyId],
  ["key", (row: UsageSum, names: UsageNames) => (row.keyId === null ? null : names.key(row.keyId))],
  ["model", (row: UsageSum) => row.model],
  ["requests", (row: UsageSum) => row.requests],
  ["calls", (row: UsageSum) => row.calls],
  ["prompt_tokens", (row: UsageSum) => row.promptTokens],
  ["completion_tokens", (row: UsageSum) => row.completionTokens],
  ["cached_tokens", (row: UsageSum) => row.cachedTokens],
] as const;

/** RFC 4180, with the mark by which spreadsheets know UTF-8. */
export function toCsv(rows: readonly UsageSum[], names: UsageNames): string {
  const lines = [columns.map(([name]) => name), ...rows.map((row) => columns.map(([, read]) => read(row, names)))];
  return `\ufeff${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}

function cell(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  // A name must not become a formula.
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const notAllowed = (): StarboxError =>
  new StarboxError("forbidden", "Only an administrator may set quotas.", {
    hint: "Ask an administrator of this box.",
    zh: { message: "只有管理员可以设置配额。", hint: "请联系本机的管理员。" },
  });

const noSubject = (kind: string, subject: string): StarboxError =>
  new StarboxError("not_found", `There is no ${kind} "${subject}" to give a quota.`, {
    hint: 'kind is everyone (subject ""), person, team or key, with its id.',
    zh: { message: `没有可设置配额的对象“${subject}”。`, hint: "kind 为 everyone（subject 留空）、person、team 或 key，并给出其编号。" },
  });
