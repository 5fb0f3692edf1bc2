/** @file What one owner (a key, a person, a team) has used in the windows that quotas speak of. Kept in memory, begun from the rows. */
import { dayBounds, monthBounds } from "./calendar.ts";

export type Owner = { readonly kind: "key" | "person" | "team"; readonly id: string };

export type UsageWindows = {
  since(owner: Owner["kind"], id: string, at: string): { readonly requests: number; readonly tokens: number };
  listSince(owner: Owner["kind"], id: string, at: string): readonly { readonly at: string; readonly requests: number; readonly tokens: number }[];
};

type Window = { from: number; to: number; requests: number; tokens: number };
type Item = { readonly at: number; readonly amount: number };
export const minuteMs = 60_000;

export class Counters {
  readonly #owner: Owner;
  readonly #rows: UsageWindows;
  #day: Window;
  #month: Window;
  #requests: Item[];
  #tokens: Item[];

  constructor(owner: Owner, rows: UsageWindows, now: number) {
    this.#owner = owner;
    this.#rows = rows;
    this.#day = this.#load(dayBounds(now));
    this.#month = this.#load(monthBounds(now));
    const recent = rows.listSince(owner.kind, owner.id, new Date(now - minuteMs).toISOString());
    this.#requests = recent.filter((row) => row.requests > 0).map((row) => ({ at: Date.parse(row.at), amount: row.requests }));
    this.#tokens = recent.filter((row) => row.tokens > 0).map((row) => ({ at: Date.parse(row.at), amount: row.tokens }));
  }

  #load(bounds: { readonly from: number; readonly to: number }): Window {
    return { ...bounds, ...this.#rows.since(this.#owner.kind, this.#owner.id, new Date(bounds.from).toISOString()) };
  }

  /** Begins new windows where old ones ended; a clock that was set back begins them again from the rows. */
  #roll(now: number): void {
    if (now < this.#day.from || now >= this.#day.to) this.#day = this.#load(dayBounds(now));
    if (now < this.#month.from || now >= this.#month.to) this.#month = this.#load(monthBounds(now));
    const fresh = (item: Item): boolean => item.at > now - minuteMs && item.at <= now;
    if (this.#requests.some((item) => !fresh(item))) this.#requests = this.#requests.filter(fresh);
    if (this.#tokens.some((item) => !fresh(item))) this.#tokens = this.#tokens.filter(fresh);
  }

  addRequest(now: number): void {
    this.#roll(now);
    this.#day.requests++;
    this.#requests.push({ at: now, amount: 1 });
  }
  addTokens(now: number, amount: number): void {
    this.#roll(now);
    this.#day.tokens += amount;
    this.#month.tokens += amount;
    if (amount > 0) this.#tokens.push({ at: now, amount });
  }

  /** `freeAt`: when less than `limit` is used again. */
  requestsInMinute = (now: number, limit: number) => this.#sliding(this.#requestsNow(now), now, limit);
  tokensInMinute = (now: number, limit: number) => this.#sliding(this.#tokensNow(now), now, limit);
  requestsInDay(now: number) {
    this.#roll(now);
    return { used: this.#day.requests, freeAt: this.#day.to };
  }
  tokensInDay(now: number) {
    this.#roll(now);
    return { used: this.#day.tokens, freeAt: this.#day.to };
  }
  tokensInMonth(now: number) {
    this.#roll(now);
    return { used: this.#month.tokens, freeAt: this.#month.to };
  }

  #requestsNow(now: number): readonly Item[] {
    this.#roll(now);
    return this.#requests;
  }
  #tokensNow(now: number): readonly Item[] {
    this.#roll(now);
    return this.#tokens;
  }
  #sliding(items: readonly Item[], now: number, limit: number): { readonly used: number; readonly freeAt: number } {
    const used = items.reduce((sum, item) => sum + item.amount, 0);
    let left = used;
    let freeAt = now;
    for (const item of items) {
      if (left < limit) break;
      left -= item.amount;
      freeAt = item.at + minuteMs;
    }
    return { used, freeAt };
  }
}
