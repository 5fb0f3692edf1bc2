/** @file Both languages say the same things: the same keys, the same placeholders, and every key is used by some screen. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { en } from "./en.ts";
import { zh } from "./zh.ts";

const plain = (key: string): string => key.replace(/_one$/, "");
const placeholders = (text: string): string[] => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? "").sort();

test("Chinese and English have the same keys", () => {
  expect(Object.keys(zh).length).toBeGreaterThan(200);
  expect([...new Set(Object.keys(en).map(plain))].sort()).toEqual(Object.keys(zh).sort());
});

test("Chinese and English fill in the same values", () => {
  const differing = Object.entries(zh).filter(([key, text]) => placeholders(text).join() !== placeholders(en[key as keyof typeof zh]).join());
  expect(differing).toEqual([]);
});

test("every key is used by some screen", () => {
  const folder = path.join(import.meta.dirname, "..");
  const source = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.startsWith("i18n"))
    .map((name) => readFileSync(path.join(folder, name), "utf8"))
    .join("\n");
  // Keys put together from a state or kind: `jobs.kind.${kind}`.
  const prefixes = [...source.matchAll(/`([a-z]+(?:\.[a-z]+)*\.)\$\{/gi)].map((match) => match[1] ?? "");
  const unused = Object.keys(zh).filter((key) => !source.includes(`"${key}"`) && !prefixes.some((prefix) => key.startsWith(prefix)));
  expect(unused).toEqual([]);
});
