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

/** What came within the last minute, with its sum: a busy key has thousands of items, so each is touched when it comes and when it goes. */
class Minute {
  #items: Item[];
  #first = 0;
  #used: number;

  constructor(items: Item[]) {
    this.#items = items;
    this.#used = items.reduce((sum, item) => sum + item.amount, 0);
  }

  roll(now: number): void {
    // A clock that was set back: what lies ahead of it would never leave.
    if ((this.#items.at(-1)?.at ?? now) > now) this.#keep(this.#items.slice(this.#first).filter((item) => item.at <= now));
    for (let item = this.#items[this.#first]; item !== undefined && item.at <= now - minuteMs; item = this.#items[this.#first]) {
      this.#used -= item.amount;
      this.#first++;
    }
    if (this.#first > 64 && this.#first > this.#items.length / 2) this.#keep(this.#items.slice(this.#first));
  }
  #keep(items: Item[]): void {
    this.#items = items;
    this.#first = 0;
    this.#used = items.reduce((sum, item) => sum + item.amount, 0);
  }
  add(at: number, amount: number): void {
    this.#items.push({ at, amount });
    this.#used += amount;
  }
  /** `freeAt`: when less than `limit` is used again. */
  read(now: number, limit: number): { readonly used: number; readonly freeAt: number } {
    let left = this.#used;
    let freeAt = now;
    for (let i = this.#first; i < this.#items.length && left >= limit; i++) {
      const item = this.#items[i];
      if (item === undefined) break;
      left -= item.amount;
      freeAt = item.at + minuteMs;
    }
    return { used: this.#used, freeAt };
  }
}

export class Counters {
  readonly #owner: Owner;
  readonly #rows: UsageWindows;
  #day: Window;
  #month: Window;
  readonly #requests: Minute;
  readonly #tokens: Minute;

  constructor(owner: Owner, rows: UsageWindows, now: number) {
    this.#owner = owner;
    this.#rows = rows;
    this.#day = this.#load(dayBounds(now));
    this.#month = this.#load(monthBounds(now));
    const recent = rows.listSince(owner.kind, owner.id, new Date(now - minuteMs).toISOString());
    this.#requests = new Minute(recent.filter((row) => row.requests > 0).map((row) => ({ at: Date.parse(row.at), amount: row.requests })));
    this.#tokens = new Minute(recent.filter((row) => row.tokens > 0).map((row) => ({ at: Date.parse(row.at), amount: row.tokens })));
  }

  #load(bounds: { readonly from: number; readonly to: number }): Window {
    return { ...bounds, ...this.#rows.since(this.#owner.kind, this.#owner.id, new Date(bounds.from).toISOString()) };
  }

  /** Begins new windows where old ones ended; a clock that was set back begins them again from the rows. */
  #roll(now: number): void {
    if (now < this.#day.from || now >= this.#day.to) this.#day = this.#load(dayBounds(now));
    if (now < this.#month.from || now >= this.#month.to) this.#month = this.#load(monthBounds(now));
    this.#requests.roll(now);
    this.#tokens.roll(now);
  }

  addRequest(now: number): void {
    this.#roll(now);
    this.#day.requests++;
    this.#requests.add(now, 1);
  }
  addTokens(now: number, amount: number): void {
    this.#roll(now);
    this.#day.tokens += amount;
    this.#month.tokens += amount;
    if (amount > 0) this.#tokens.add(now, amount);
  }

  requestsInMinute(now: number, limit: number) {
    this.#roll(now);
    return this.#requests.read(now, limit);
  }
  tokensInMinute(now: number, limit: number) {
    this.#roll(now);
    return this.#tokens.read(now, limit);
  }
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
}
