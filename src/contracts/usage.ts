/** @file API keys, quotas and usage as people and programs see them. */
import type { Usage } from "./model.ts";
import type { Actor } from "./platform.ts";

/** What may be shown of a key again and again; the key itself is shown once. */
export type ApiKeyInfo = {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  /** Whose it is: a person's, a team's, or with both null the box's own. */
  readonly personId: string | null;
  readonly teamId: string | null;
  /** null: all that its owner may use. */
  readonly models: readonly string[] | null;
  /** Ids of knowledge bases. */
  readonly bases: readonly string[] | null;
  readonly access: "read" | "write";
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly expiresAt: string | null;
  readonly rotatedAt: string | null;
  readonly revokedAt: string | null;
  /** Until when the key from before the last rotation still works; null: no longer. */
  readonly formerUntil: string | null;
};

export type NewApiKey = ApiKeyInfo & { readonly key: string };

export type KeyScopeInput = {
  readonly models?: readonly string[] | null;
  readonly bases?: readonly string[] | null;
  readonly access?: "read" | "write";
  readonly expiresAt?: string | null;
};

/** A person sees and makes their own keys, an administrator all; only administrators make keys of teams and of others. */
export type KeysService = {
  list(actor: Actor): Promise<readonly ApiKeyInfo[]>;
  create(actor: Actor, input: KeyScopeInput & { readonly name: string; readonly personId?: string; readonly teamId?: string }): Promise<NewApiKey>;
  update(actor: Actor, id: string, patch: KeyScopeInput & { readonly name?: string }): Promise<ApiKeyInfo>;
  /** A new key in the place of the old one, which goes on working for `graceSeconds` (default: a day). Name, scopes, quotas and usage stay. */
  rotate(actor: Actor, id: string, options?: { readonly graceSeconds?: number }): Promise<NewApiKey>;
  /** Ends it at once, former ones included. */
  revoke(actor: Actor, id: string): Promise<void>;
};

/** null: no limit. Minutes slide; days and months are the box's own calendar. */
export type QuotaLimits = {
  readonly requestsPerMinute: number | null;
  readonly requestsPerDay: number | null;
  readonly tokensPerMinute: number | null;
  readonly tokensPerDay: number | null;
  readonly tokensPerMonth: number | null;
  /** Requests at the same time. */
  readonly concurrent: number | null;
};

/** everyone (subject ""): what each person may, unless they have a row of their own. */
export type QuotaKind = "everyone" | "person" | "team" | "key";
export type Quota = QuotaLimits & { readonly kind: QuotaKind; readonly subject: string; readonly updatedAt: string };

export type UsageGroup = "day" | "person" | "team" | "key" | "model";
export type UsageQuery = {
  readonly by?: readonly UsageGroup[];
  /** Days (YYYY-MM-DD), inclusive. */
  readonly from?: string;
  readonly to?: string;
  readonly personId?: string;
  readonly teamId?: string;
  readonly keyId?: string;
  readonly model?: string;
};
/** A field is null unless it was asked for in `by` (or nobody is meant: the operator has no person). */
export type UsageSum = {
  readonly day: string | null;
  readonly personId: string | null;
  readonly teamId: string | null;
  readonly keyId: string | null;
  readonly model: string | null;
  readonly requests: number;
  /** Calls of a model; one request may need none, one or several. */
  readonly calls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
};

/** A person sees their own usage and quota, an administrator all. */
export type UsageService = {
  sum(actor: Actor, query: UsageQuery): Promise<readonly UsageSum[]>;
  /** For a spreadsheet; by day, person, key and model unless asked otherwise. */
  csv(actor: Actor, query: UsageQuery): Promise<string>;
  listQuotas(actor: Actor): Promise<readonly Quota[]>;
  /** Limits left out are none; a quota without any limit goes. */
  writeQuota(actor: Actor, quota: { readonly kind: QuotaKind; readonly subject: string } & Partial<QuotaLimits>): Promise<Quota>;
};

export type RequestKind = "chat" | "completion" | "embedding" | "answer" | "search";

/** One request on its way, counted. */
export type Metered = {
  /** A call of a model and what it cost. Written before it returns: a killed process loses nothing. */
  record(model: string, usage: Usage, outcome?: "done" | "cancelled" | "failed"): void;
  /** The request is over. One that called no model is counted here. */
  end(outcome: "done" | "cancelled" | "failed"): void;
  /** Awaited before the last part goes out: what was recorded then survives a power cut, too. */
  kept(): Promise<void>;
};

export type Meter = {
  /** Throws `busy` with the time to come back when a quota of the key, the person or the team is used up; nothing has been done then. */
  enter(actor: Actor, about: { readonly kind: RequestKind; readonly model: string | null; readonly expectedTokens?: number }): Metered;
  /** As `enter`, but only asks. */
  check(actor: Actor): void;
};
