/** @file Lets a request in or sends it back with the time to return, and keeps what it used. Looked at before any work; written before the last part goes out. */
import { newId, StarboxError } from "#base";
import type { Actor, Meter, Metered, QuotaLimits, RequestKind } from "#contracts";
import type { UsageRepository } from "#storage";
import { dayOf } from "./calendar.ts";
import { Counters, type Owner } from "./counters.ts";

export type MeterOptions = {
  readonly store: Pick<UsageRepository, "insert" | "flushed" | "since" | "listSince" | "readQuota">;
  /** Every team somebody is in, with the teams above: their use counts for each. */
  readonly teamsOf?: (personId: string | null, teamId: string | null) => readonly string[];
  readonly now?: () => number;
};

type TeamsOf = NonNullable<MeterOptions["teamsOf"]>;
type Running = { readonly startedAt: number; readonly owners: readonly string[]; expected: number };
type Ruled = { readonly owner: Owner; readonly limits: QuotaLimits };

/** What a request without a limit of its own may come to; only weighs while it runs. */
const usualTokens = 512;
const firstGuessMs = 5000;

export function createMeter({
  store,
  now = Date.now,
  teamsOf = (_, team) => (team === null ? [] : [team]),
}: MeterOptions): Meter & { running(): number } {
  const counters = new Map<string, Counters>();
  const running = new Set<Running>();
  let meanMs = firstGuessMs;
  const countersOf = (owner: Owner): Counters => {
    const name = `${owner.kind} ${owner.id}`;
    let found = counters.get(name);
    if (found === undefined) {
      found = new Counters(owner, store, now());
      counters.set(name, found);
    }
    return found;
  };
  const runningOf = (owner: Owner) => [...running].filter((item) => item.owners.includes(`${owner.kind} ${owner.id}`));

  const check = (actor: Actor): void => {
    for (const ruled of rulesOf(store, ownersOf(actor, teamsOf))) {
      const mine = runningOf(ruled.owner);
      const found = findLimit(ruled, countersOf(ruled.owner), mine, now(), meanMs);
      if (found !== null) throw quotaExceeded(ruled.owner, found);
    }
  };

  return {
    running: () => running.size,
    check,
    enter(actor, about) {
      check(actor);
      const owners = ownersOf(actor, teamsOf);
      const startedAt = now();
      const item: Running = { startedAt, owners: owners.map((owner) => `${owner.kind} ${owner.id}`), expected: about.expectedTokens ?? usualTokens };
      // Before the first await of anybody: two that come together cannot both take the last place.
      running.add(item);
      for (const owner of owners) countersOf(owner).addRequest(startedAt);
      return createMetered({
        actor,
        about,
        teams: owners.flatMap((owner) => (owner.kind === "team" ? [owner.id] : [])),
        store,
        now,
        startedAt,
        onTokens(tokens) {
          item.expected = Math.max(0, item.expected - tokens);
          for (const owner of owners) countersOf(owner).addTokens(now(), tokens);
        },
        onEnd() {
          if (running.delete(item)) meanMs = 0.8 * meanMs + 0.2 * Math.max(1, now() - startedAt);
        },
      });
    },
  };
}

function createMetered(parts: {
  readonly actor: Actor;
  readonly about: { readonly kind: RequestKind; readonly model: string | null };
  readonly teams: readonly string[];
  readonly store: Pick<UsageRepository, "insert" | "flushed">;
  readonly now: () => number;
  readonly startedAt: number;
  readonly onTokens: (tokens: number) => void;
  readonly onEnd: () => void;
}): Metered {
  const { actor, about, now } = parts;
  const request = newId("req", parts.startedAt);
  let first = true;
  let ended = false;
  const keep = (
    model: string,
    usage: { promptTokens: number; completionTokens: number; cachedTokens?: number },
    outcome: "done" | "cancelled" | "failed",
  ) => {
    const at = now();
    const row = {
      id: newId("use", at),
      request,
      first,
      at: new Date(at).toISOString(),
      day: dayOf(at),
      kind: about.kind,
      model,
      personId: actor.personId,
      teamId: actor.teamId ?? null,
      keyId: actor.key?.id ?? null,
      promptTokens: usage.promptTokens,
      completionTokens: usage.completionTokens,
      cachedTokens: usage.cachedTokens ?? 0,
      ms: Math.round(at - parts.startedAt),
      outcome,
    };
    parts.store.insert(row, parts.teams);
    first = false;
    parts.onTokens(usage.promptTokens + usage.completionTokens);
  };
  return {
    record: (model, usage, outcome = "done") => keep(model, usage, outcome),
    // Searches come many a second and promise little: a power cut may lose the last ones.
    kept: async () => (about.kind === "search" ? undefined : await parts.store.flushed()),
    end(outcome) {
      if (ended) return;
      ended = true;
      try {
        if (first) keep(about.model ?? "", { promptTokens: 0, completionTokens: 0 }, outcome);
      } finally {
        parts.onEnd();
      }
    },
  };
}

function ownersOf(actor: Actor, teamsOf: TeamsOf): readonly Owner[] {
  return [
    ...(actor.key === undefined ? [] : [{ kind: "key" as const, id: actor.key.id }]),
    ...(actor.personId === null ? [] : [{ kind: "person" as const, id: actor.personId }]),
    ...teamsOf(actor.personId, actor.teamId ?? null).map((id) => ({ kind: "team" as const, id })),
  ];
}

/** Every quota that holds for the actor; a person's own row stands in the place of everyone's. */
function rulesOf(store: Pick<UsageRepository, "readQuota">, owners: readonly Owner[]): readonly Ruled[] {
  return owners.flatMap((owner) => {
    const limits = store.readQuota(owner.kind, owner.id) ?? (owner.kind === "person" ? store.readQuota("everyone", "") : undefined);
    return limits === undefined ? [] : [{ owner, limits }];
  });
}

type Found = { readonly limit: keyof QuotaLimits; readonly allowed: number; readonly used: number; readonly retryAfterSeconds: number };

function findLimit({ limits }: Ruled, counters: Counters, running: readonly Running[], now: number, meanMs: number): Found | null {
  const seconds = (at: number): number => Math.max(1, Math.ceil((at - now) / 1000));
  // When the longest-running of them ends, as far as one can tell.
  const nextEnd = running.length === 0 ? now + 1000 : Math.max(now + 1000, Math.min(...running.map((item) => item.startedAt)) + meanMs);
  const reserved = running.reduce((sum, item) => sum + item.expected, 0);
  if (limits.concurrent !== null && running.length >= limits.concurrent)
    return { limit: "concurrent", allowed: limits.concurrent, used: running.length, retryAfterSeconds: seconds(nextEnd) };
  const found: Found[] = [];
  const look = (limit: keyof QuotaLimits, read: (allowed: number) => { readonly used: number; readonly freeAt: number }, promised: number): void => {
    const allowed = limits[limit];
    if (allowed === null) return;
    const { used, freeAt } = read(allowed);
    if (used >= allowed) found.push({ limit, allowed, used, retryAfterSeconds: seconds(freeAt) });
    // What runs now may need the rest: the last place is not given twice.
    else if (used + promised >= allowed) found.push({ limit, allowed, used, retryAfterSeconds: seconds(nextEnd) });
  };
  look("requestsPerMinute", (allowed) => counters.requestsInMinute(now, allowed), 0);
  look("requestsPerDay", () => counters.requestsInDay(now), 0);
  look("tokensPerMinute", (allowed) => counters.tokensInMinute(now, allowed), reserved);
  look("tokensPerDay", () => counters.tokensInDay(now), reserved);
  look("tokensPerMonth", () => counters.tokensInMonth(now), reserved);
  // Coming back before the last of them is free would be in vain.
  return found.sort((a, b) => b.retryAfterSeconds - a.retryAfterSeconds)[0] ?? null;
}

const limitWords: Readonly<Record<keyof QuotaLimits, readonly [english: string, chinese: string]>> = {
  requestsPerMinute: ["requests a minute", "每分钟请求数"],
  requestsPerDay: ["requests a day", "每日请求数"],
  tokensPerMinute: ["tokens a minute", "每分钟词元数"],
  tokensPerDay: ["tokens a day", "每日词元数"],
  tokensPerMonth: ["tokens a month", "每月词元数"],
  concurrent: ["requests at the same time", "同时进行的请求数"],
};
const ownerWords: Readonly<Record<Owner["kind"], readonly [english: string, chinese: string]>> = {
  key: ["this key", "该密钥"],
  person: ["this person", "该成员"],
  team: ["this team", "该团队"],
};

function quotaExceeded(owner: Owner, { limit, allowed, used, retryAfterSeconds }: Found): StarboxError {
  const [english, chinese] = limitWords[limit];
  const [whose, whoseZh] = ownerWords[owner.kind];
  return new StarboxError("quota_exceeded", `The quota of ${whose} is used up: ${allowed} ${english}, ${used} used.`, {
    hint: `Try again in ${retryAfterSeconds} s; an administrator may change the quota.`,
    zh: {
      message: `${whoseZh}的配额已用完：${chinese}上限 ${allowed}，已用 ${used}。`,
      hint: `请在 ${retryAfterSeconds} 秒后再试；管理员可以调整配额。`,
    },
    retryAfterSeconds,
    details: { of: owner.kind, limit, allowed, used },
  });
}
