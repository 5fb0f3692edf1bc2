/** @file Nights: when a backup is due whatever the clock does; disk, memory and clock watched. */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { silentLogger } from "#base";
import { createClockWatch } from "./clock-watch.ts";
import { createDiskWatch } from "./disk-watch.ts";
import { createMemoryWatch } from "./memory-watch.ts";
import { defaultSchedule, isDue, nextDue } from "./nightly.ts";

const on = { ...defaultSchedule, enabled: true, at: "02:30" };
const local = (day: number, hour: number, minute = 0): number => new Date(2026, 4, day, hour, minute).getTime();
const hour = 3_600_000;

test("once a day after its hour, a missed night is made up for, off is off", () => {
  expect(isDue(on, null, local(10, 2))).toBe(false);
  expect(isDue(on, null, local(10, 3))).toBe(true);
  expect(isDue(on, local(10, 2, 31), local(10, 23))).toBe(false);
  expect(isDue(on, local(10, 2, 31), local(11, 2))).toBe(false);
  expect(isDue(on, local(10, 2, 31), local(11, 2, 30))).toBe(true);
  expect(isDue(on, local(8, 2, 31), local(11, 9))).toBe(true);
  expect(isDue({ ...on, enabled: false }, null, local(10, 3))).toBe(false);
  expect(nextDue(on, local(10, 2, 31), local(10, 9))).toBe(local(11, 2, 30));
  expect(nextDue(on, local(10, 2, 31), local(11, 1))).toBe(local(11, 2, 30));
});

test("a clock set back neither repeats the night nor skips all nights to come", () => {
  expect(isDue(on, local(10, 2, 31), local(10, 2, 31) - hour / 2)).toBe(false);
  // A year ahead by mistake, then corrected: the last run lies in the future and must not block.
  expect(isDue(on, local(10, 3) + 365 * 24 * hour, local(10, 3))).toBe(true);
});

test("simulated: 60 days with jumps of hours and years, every real day has at most two runs and no gap over two days", () => {
  let wall = local(1, 0);
  let last: number | null = null;
  let runs = 0;
  let sinceRun = 0;
  let longest = 0;
  for (let step = 0; step < 60 * 48; step++) {
    wall += hour / 2;
    sinceRun += hour / 2;
    if (step % 500 === 250) wall += 400 * 24 * hour;
    if (step % 500 === 260) wall -= 400 * 24 * hour;
    if (step % 170 === 60) wall -= 5 * hour;
    if (!isDue(on, last, wall)) continue;
    last = wall;
    runs++;
    longest = Math.max(longest, sinceRun);
    sinceRun = 0;
  }
  expect(runs).toBeGreaterThan(50);
  expect(runs).toBeLessThan(80);
  expect(longest).toBeLessThan(48 * hour);
});

test("disk: ok, low, full by what is free; full refuses files by name", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "starbox-disk-"));
  const freeMb = createDiskWatch(folder, { diskWarnMb: 0, diskRefuseMb: 0 }, silentLogger).report().freeBytes / 2 ** 20;
  const watch = (warn: number, refuse: number) => createDiskWatch(folder, { diskWarnMb: warn, diskRefuseMb: refuse }, silentLogger);
  expect(watch(1, 1).report().level).toBe("ok");
  expect(watch(freeMb * 2, 1).report().level).toBe("low");
  expect(() => watch(freeMb * 2, 1).requireRoom()).not.toThrow();
  expect(watch(1, freeMb * 2).report().level).toBe("full");
  expect(() => watch(1, freeMb * 2).requireRoom()).toThrow(expect.objectContaining({ code: "disk_full" }));
  expect(() => watch(1, 1).requireRoom(2 ** 60)).toThrow(expect.objectContaining({ code: "disk_full" }));
  rmSync(folder, { recursive: true });
});

test("memory: when short the queue is held and the largest goes, one a look; it goes on when there is twice as much", () => {
  let free = 10e9;
  const jobs = ["large", "small"];
  const held: boolean[] = [];
  const watch = createMemoryWatch({
    availableBytes: () => free,
    totalBytes: 10e9,
    pauseLargest: () => jobs.shift() ?? null,
    hold: (value) => held.push(value),
    logger: silentLogger,
  });
  expect(watch.look()).toBe("ok");
  free = 0.4e9;
  expect([watch.look(), jobs]).toEqual(["short", ["small"]]);
  free = 0.7e9;
  expect([watch.look(), jobs, held]).toEqual(["short", ["small"], [true]]);
  free = 1.1e9;
  expect([watch.look(), held]).toEqual(["ok", [true, false]]);
});

test("clock: a jump either way is told once, slow drift is not", () => {
  let [wall, monotonic] = [1_000_000, 0];
  const jumps: number[] = [];
  const watch = createClockWatch({ wall: () => wall, monotonic: () => monotonic, jumped: (ms) => jumps.push(ms), logger: silentLogger });
  for (let i = 0; i < 10; i++) {
    wall += 5010;
    monotonic += 5000;
    watch.look();
  }
  wall -= 3 * hour;
  watch.look();
  watch.look();
  wall += 900 * 24 * hour;
  watch.look();
  expect(jumps).toEqual([-3 * hour, 900 * 24 * hour]);
});
