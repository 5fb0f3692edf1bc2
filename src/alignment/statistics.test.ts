import { expect, test } from "vitest";
import { distance, logitDistance } from "./index.ts";

test("distance: nothing for equal numbers; NaN, infinities and other lengths are infinitely far", () => {
  expect(distance([1, -2, 3], [1, -2, 3])).toEqual({ relative: 0, rms: 0, cosine: 1 });
  expect(distance([0, 0], [0, 0]).relative).toBe(0);
  expect(distance([1, -4], [1, -3]).relative).toBe(0.25);
  expect(distance([1, 0], [0, 1]).cosine).toBe(0);
  for (const wrong of [[Number.NaN, 1], [1], [Number.POSITIVE_INFINITY, 1]]) expect(distance([1, 1], wrong).relative).toBe(Number.POSITIVE_INFINITY);
});

test("logits: KL by hand; another choice is wrong only where the expected one is clear", () => {
  const p = [0.5, 0.25, 0.25];
  const q = [0.25, 0.5, 0.25];
  const found = logitDistance(p.map(Math.log), q.map(Math.log), 3);
  expect(found.kl).toBeCloseTo(0.5 * Math.log(2) - 0.25 * Math.log(2), 12);
  expect([found.agree, found.wrong, found.tokens]).toEqual([0, 1, 1]);
  expect(logitDistance([1, 1.04, 0], [1.04, 1, 0], 3).wrong).toBe(0);
  expect(logitDistance([9, 0, 0, 5, 0, 0], [8, 0, 0, 0, 5, 0], 3)).toMatchObject({ agree: 1, wrong: 1, tokens: 2 });
});
