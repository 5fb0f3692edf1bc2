/** @file Best first, leftmost of equals, in whatever order they came. */
import { expect, test } from "vitest";
import { MergeQueue } from "./merge-queue.ts";

test("entries come out by priority, then from left to right", () => {
  let state = 5;
  const random = (below: number): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % below;
  for (let round = 0; round < 200; round++) {
    const entries = Array.from({ length: 1 + random(40) }, (_, left) => ({ priority: random(4), left }));
    const queue = new MergeQueue();
    for (const { priority, left } of [...entries].sort(() => random(3) - 1)) queue.push(priority, left, left * 2);
    const wanted = entries.sort((a, b) => a.priority - b.priority || a.left - b.left).map(({ left }) => ({ left, tag: left * 2 }));
    expect(entries.map(() => queue.pop())).toEqual(wanted);
    expect(queue.size).toBe(0);
  }
});
