/** @file Rows of a training set: OpenAI messages, Alpaca, ShareGPT, plain text or token ids, as JSON or JSON Lines. Each bad row is named with its reason. */
import fs from "node:fs/promises";
import { z } from "zod";
import { StarboxError } from "#base";
import type { ChatMessage } from "#contracts";

/** `learn`: per message, false where the row says so (OpenAI's `weight: 0`). */
export type TrainingRow =
  | { readonly kind: "messages"; readonly messages: readonly ChatMessage[]; readonly learn: readonly boolean[] }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "ids"; readonly ids: readonly number[]; readonly weights: readonly number[] };

export type RowProblem = { readonly row: number; readonly reason: string };
export type RowSet = { readonly rows: readonly TrainingRow[]; readonly problems: readonly RowProblem[] };

const toolCalls = z.array(z.object({ id: z.string().default(""), function: z.object({ name: z.string(), arguments: z.string() }) })).optional();
const message = z.object({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  content: z.string().nullable().default(""),
  weight: z.union([z.literal(0), z.literal(1)]).optional(),
  tool_call_id: z.string().optional(),
  tool_calls: toolCalls,
});
const shapes = {
  messages: z.object({ messages: z.array(message).min(1) }),
  alpaca: z.object({
    instruction: z.string(),
    input: z.string().nullish(),
    output: z.string(),
    system: z.string().nullish(),
    history: z.array(z.tuple([z.string(), z.string()])).nullish(),
  }),
  sharegpt: z.object({ conversations: z.array(z.object({ from: z.string(), value: z.string() })).min(1), system: z.string().nullish() }),
  text: z.object({ text: z.string().min(1) }),
  ids: z.object({ ids: z.array(z.int().min(0)).min(2), weights: z.array(z.number().min(0)) }),
};

function fromMessages({ messages }: z.infer<typeof shapes.messages>): TrainingRow {
  const turned = messages.map((one): ChatMessage => {
    const content = one.content ?? "";
    if (one.role === "tool") return { role: "tool", content, toolCallId: one.tool_call_id ?? "" };
    if (one.role !== "assistant") return { role: one.role === "developer" ? "system" : one.role, content };
    const calls = (one.tool_calls ?? []).map((call) => ({ id: call.id, name: call.function.name, arguments: call.function.arguments }));
    return { role: "assistant", content, ...(calls.length > 0 ? { toolCalls: calls } : {}) };
  });
  return { kind: "messages", messages: turned, learn: messages.map(({ weight }) => weight !== 0) };
}

function conversation(system: string | null | undefined, turns: readonly (readonly [string, string])[]): TrainingRow {
  const messages: ChatMessage[] = [
    ...(system ? [{ role: "system" as const, content: system }] : []),
    ...turns.flatMap(([user, assistant]) => [
      { role: "user" as const, content: user },
      { role: "assistant" as const, content: assistant },
    ]),
  ];
  return { kind: "messages", messages, learn: messages.map(() => true) };
}

const roles: Readonly<Record<string, "user" | "assistant" | "system">> = {
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  system: "system",
};

/** Throws with a reason in words. */
function parseRow(value: unknown): TrainingRow {
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
  if (keys.includes("messages")) return fromMessages(shapes.messages.parse(value));
  if (keys.includes("conversations")) {
    const { conversations, system } = shapes.sharegpt.parse(value);
    const messages = conversations.map(({ from, value: content }): ChatMessage => {
      const role = roles[from];
      if (role === undefined) throw new Error(`a turn from "${from}" (known: ${Object.keys(roles).join(", ")})`);
      return { role, content };
    });
    const all: ChatMessage[] = system ? [{ role: "system", content: system }, ...messages] : messages;
    return { kind: "messages", messages: all, learn: all.map(() => true) };
  }
  if (keys.includes("instruction")) {
    const row = shapes.alpaca.parse(value);
    const prompt = row.input ? `${row.instruction}\n${row.input}` : row.instruction;
    return conversation(row.system, [...(row.history ?? []), [prompt, row.output]]);
  }
  if (keys.includes("ids")) {
    const row = shapes.ids.parse(value);
    if (row.weights.length !== row.ids.length) throw new Error(`${row.ids.length} ids and ${row.weights.length} weights`);
    return { kind: "ids", ...row };
  }
  if (keys.includes("text")) return { kind: "text", text: shapes.text.parse(value).text };
  throw new Error("none of: messages, conversations, instruction, text, ids");
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError) return error.issues.map(({ path, message: words }) => `${path.join(".")}: ${words}`).join("; ");
  return (error as Error).message;
}

export function parseRows(text: string): RowSet {
  const rows: TrainingRow[] = [];
  const problems: RowProblem[] = [];
  const take = (parse: () => unknown, row: number): void => {
    try {
      rows.push(parseRow(parse()));
    } catch (error) {
      problems.push({ row, reason: reasonOf(error) });
    }
  };
  const trimmed = text.replace(/^\uFEFF/, "").trim();
  if (trimmed.startsWith("[")) (JSON.parse(trimmed) as unknown[]).forEach((value, i) => take(() => value, i + 1));
  else {
    for (const [i, line] of trimmed.split(/\r?\n/).entries()) if (line.trim() !== "") take(() => JSON.parse(line), i + 1);
  }
  return { rows, problems };
}

/** Throws file_unreadable, and invalid_input when a row is bad: nothing is left out silently. */
export async function readTrainingRows(file: string): Promise<readonly TrainingRow[]> {
  let text: string;
  try {
    text = await fs.readFile(file, "utf8");
  } catch (cause) {
    throw new StarboxError("file_unreadable", `The training set ${file} cannot be read.`, { cause, zh: { message: `无法读取训练数据 ${file}。` } });
  }
  const { rows, problems } = parseRows(text);
  if (problems.length > 0 || rows.length === 0) {
    const words = problems.slice(0, 5).map(({ row, reason }) => `row ${row}: ${reason}`);
    const rest = problems.length > 5 ? `, and ${problems.length - 5} more` : "";
    throw new StarboxError(
      "invalid_input",
      rows.length === 0 && problems.length === 0 ? `${file} holds no rows.` : `${file}: ${words.join("; ")}${rest}.`,
      {
        hint: "Rows are JSON objects with messages (OpenAI), instruction and output (Alpaca), conversations (ShareGPT), or text.",
        zh: {
          message: `${file}：${problems.length > 0 ? words.join("；") : "没有数据行"}。`,
          hint: "每行为 JSON 对象：messages（OpenAI）、instruction 与 output（Alpaca）、conversations（ShareGPT）或 text。",
        },
      },
    );
  }
  return rows;
}
