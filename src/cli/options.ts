/** @file Checks of option values, and files of questions and prompts. Knows no command. */
import fs from "node:fs";
import { InvalidArgumentError } from "commander";
import { StarboxError } from "#base";

export function wholeNumber(min: number, max: number): (raw: string) => number {
  return (raw) => {
    const value = Number(raw);
    if (raw.trim() === "" || !Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
    return value;
  };
}

export function decimal(min: number, max: number): (raw: string) => number {
  return (raw) => {
    const value = Number(raw);
    if (raw.trim() === "" || Number.isNaN(value) || value < min || value > max)
      throw new InvalidArgumentError(`expected a number from ${min} to ${max}`);
    return value;
  };
}

const spans: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "90d", "12h", "30m", "45s" or "0" in milliseconds. */
export function parseSpan(raw: string): number {
  const found = /^(\d+(?:\.\d+)?)([smhd])$/.exec(raw.trim());
  if (raw.trim() === "0") return 0;
  if (found !== null) return Number(found[1]) * (spans[found[2] ?? ""] ?? 0);
  throw new StarboxError("usage", `Expected a span such as 90d, 12h or 30m, got "${raw}".`, {
    zh: { message: `应为时长，例如 90d、12h 或 30m，收到“${raw}”。` },
  });
}

export type JsonLine = { readonly line: number; readonly value: Readonly<Record<string, unknown>> };

/** Every line of a JSON Lines file as an object; all bad lines are named at once, before any work. "-" is stdin. */
export function readJsonLines(file: string): readonly JsonLine[] {
  let content: string;
  try {
    content = fs.readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new StarboxError("not_found", `Cannot read "${file}": ${(error as Error).message}.`, {
      hint: "Give a file with one JSON object a line.",
      zh: { message: `无法读取“${file}”：${(error as Error).message}。`, hint: "请给出每行一个 JSON 对象的文件。" },
    });
  }
  const lines: JsonLine[] = [];
  const bad: string[] = [];
  content
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .forEach((text, index) => {
      if (text.trim() === "") return;
      try {
        const value: unknown = JSON.parse(text);
        if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object");
        lines.push({ line: index + 1, value: value as JsonLine["value"] });
      } catch (error) {
        bad.push(`${file}:${index + 1}: ${(error as Error).message}`);
      }
    });
  if (bad.length > 0) {
    const shown = bad.slice(0, 5).join("; ");
    throw new StarboxError("invalid_input", `${bad.length} lines are not JSON objects: ${shown}.`, {
      hint: 'Each line is an object such as {"id": 1, "question": "…"}.',
      zh: { message: `${bad.length} 行不是 JSON 对象：${shown}。`, hint: '每行应为一个对象，例如 {"id": 1, "question": "……"}。' },
    });
  }
  return lines;
}

export type Question = { readonly id?: unknown; readonly question: string };

/** One question from the command line, or a file of `{"id", "question"}` lines; exactly one of both. */
export function readQuestions(given: readonly string[], file: string | undefined, flag: string): readonly Question[] {
  if (given.length > 0 === (file !== undefined)) {
    throw new StarboxError("usage", given.length > 0 ? `Give a question or ${flag}, not both.` : `A question or ${flag} FILE.jsonl is needed.`, {
      zh: { message: given.length > 0 ? `问题与 ${flag} 只能给出一个。` : `需要给出一个问题，或 ${flag} FILE.jsonl。` },
    });
  }
  if (file === undefined) {
    const question = given.join(" ").trim();
    if (question === "") throw new StarboxError("usage", "The question is empty.", { zh: { message: "问题为空。" } });
    return [{ question }];
  }
  return readJsonLines(file).map(({ line, value }) => {
    const question = value["question"] ?? value["query"];
    if (typeof question !== "string")
      throw new StarboxError("invalid_input", `${file}:${line}: "question" is missing or not text.`, {
        zh: { message: `${file}:${line}：缺少 question，或它不是文本。` },
      });
    return "id" in value ? { id: value["id"], question } : { question };
  });
}

/** `{id}` when the line had one. */
export const copyId = (from: { readonly id?: unknown }): { readonly id?: unknown } => ("id" in from ? { id: from.id } : {});
