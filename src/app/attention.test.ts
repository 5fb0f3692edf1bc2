/** @file When work in the background holds back. */
import { expect, test } from "vitest";
import { createAttention } from "./attention.ts";

test("wanted while somebody waits and for a moment after, not for ever", async () => {
  let time = 1000;
  const attention = createAttention(() => time);
  expect(attention.isWanted(false)).toBe(false);
  await attention.during(async () => {
    time += 60_000;
    expect(attention.isWanted(false)).toBe(true);
  });
  expect(attention.isWanted(false)).toBe(true);
  time += 2001;
  expect(attention.isWanted(false)).toBe(false);
  expect(attention.isWanted(true)).toBe(true);
  time += 1000;
  expect(attention.isWanted(false)).toBe(true);
  await expect(attention.during(async () => await Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  time += 2001;
  expect(attention.isWanted(false)).toBe(false);
});
