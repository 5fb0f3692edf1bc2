import { expect, test } from "vitest";
import { StarboxError } from "#base";
import { FairQueue } from "./fair-queue.ts";

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("persons take turns: one with many requests does not push another back", async () => {
  const queue = new FairQueue({ slots: 1, limit: 10 });
  const order: string[] = [];
  const first = await queue.enter("a");
  const ask = (person: string, name: string): void => void queue.enter(person).then((release) => (order.push(name), setImmediate(release)));
  for (const name of ["a1", "a2", "a3"]) ask("a", name);
  ask("b", "b1");
  ask("c", "c1");
  ask("b", "b2");
  await settle();
  first();
  while (order.length < 6) await settle();
  expect(order).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
});

test("too many waiting: busy, with an estimate from measured durations", async () => {
  let now = 0;
  const queue = new FairQueue({ slots: 1, limit: 1, now: () => now });
  for (let i = 0; i < 40; i++) {
    const release = await queue.enter("a");
    now += 10_000;
    release();
  }
  const release = await queue.enter("a");
  const waiting = queue.enter("a");
  const refused = await queue.enter("b").catch((error: unknown) => error);
  // The one place to wait is free when the running one ends; whoever is sent away next comes after that.
  expect(StarboxError.is(refused, "busy") && refused.retryAfterSeconds).toBe(10);
  const next = await queue.enter("c").catch((error: unknown) => error);
  expect(StarboxError.is(next, "busy") && next.retryAfterSeconds).toBe(20);
  release();
  (await waiting)();
  expect([queue.running, queue.waiting]).toEqual([0, 0]);
});

test("before anything was measured nobody is sent away for minutes", async () => {
  const queue = new FairQueue({ slots: 1, limit: 40 });
  await queue.enter("a");
  for (let i = 0; i < 40; i++) void queue.enter(`waiting ${i}`);
  for (let i = 0; i < 10; i++) {
    const refused = await queue.enter(`late ${i}`).catch((error: unknown) => error);
    expect(StarboxError.is(refused, "busy") && refused.retryAfterSeconds).toBeLessThanOrEqual(5);
  }
});

test("who leaves while waiting frees the place and is not served", async () => {
  const queue = new FairQueue({ slots: 1, limit: 5 });
  const release = await queue.enter("a");
  const leaving = new AbortController();
  const gone = queue.enter("b", leaving.signal).catch((error: unknown) => error);
  leaving.abort();
  expect(StarboxError.is(await gone, "cancelled")).toBe(true);
  expect(queue.waiting).toBe(0);
  release();
  release(); // twice is once
  expect(queue.running).toBe(0);
});

test("several slots run side by side", async () => {
  const queue = new FairQueue({ slots: 2, limit: 5 });
  const releases = [await queue.enter("a"), await queue.enter("a")];
  let third = false;
  void queue.enter("a").then(() => {
    third = true;
  });
  await settle();
  expect(third).toBe(false);
  releases[0]?.();
  await settle();
  expect(third).toBe(true);
});

test("who waits is told the place, again whenever it changes, and 0 when the turn has come", async () => {
  const queue = new FairQueue({ slots: 1, limit: 10 });
  const told: string[] = [];
  const ask = (person: string, name: string, signal?: AbortSignal): Promise<() => void> =>
    queue.enter(person, signal, ({ position }) => void told.push(`${name} ${position}`));
  const first = await ask("a", "a0");
  expect(told).toEqual([]); // nobody to wait for
  const second = ask("a", "a1");
  const third = ask("a", "a2");
  const other = ask("b", "b1"); // before a's second
  const leaving = new AbortController();
  const gone = ask("c", "c1", leaving.signal).catch(() => {});
  expect(told).toEqual(["a1 1", "a2 2", "a2 3", "b1 2", "a2 4", "c1 3"]);
  told.length = 0;
  leaving.abort();
  await gone;
  expect(told).toEqual(["a2 3"]);
  first();
  (await second)();
  (await other)();
  (await third)();
  expect(told).toEqual(["a2 3", "a1 0", "b1 1", "a2 2", "b1 0", "a2 1", "a2 0"]);
});

test("who was sent away and comes back when told gets a place before those who were served meanwhile: all get the same", async () => {
  let time = 0;
  const queue = new FairQueue({ slots: 2, limit: 12, now: () => time });
  const served = new Map<string, number>();
  const backAt = new Map<string, number>();
  const running: (() => void)[] = [];
  const people = Array.from({ length: 24 }, (_, i) => `p${i}`);
  const waiting = new Set<string>();
  for (let second = 0; second < 2000; second++) {
    time += 1000;
    for (const release of running.splice(0)) release();
    await Promise.resolve();
    for (const person of people) {
      if (waiting.has(person) || (backAt.get(person) ?? 0) > time) continue;
      waiting.add(person);
      queue.enter(person).then(
        (release) => {
          waiting.delete(person);
          served.set(person, (served.get(person) ?? 0) + 1);
          running.push(release);
        },
        (error: { retryAfterSeconds: number }) => {
          waiting.delete(person);
          backAt.set(person, time + error.retryAfterSeconds * 1000);
        },
      );
      await Promise.resolve();
      await Promise.resolve();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  const counts = people.map((person) => served.get(person) ?? 0);
  const sum = counts.reduce((total, count) => total + count, 0);
  const jain = sum ** 2 / (people.length * counts.reduce((total, count) => total + count ** 2, 0));
  expect(sum).toBeGreaterThan(1500);
  expect(jain, counts.join(" ")).toBeGreaterThan(0.95);
});
