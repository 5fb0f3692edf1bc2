/** @file What every LanguageModel must do, whatever runs it. Called by the test file with each implementation; asks for nothing a small model cannot do. */
import { describe, expect, test } from "vitest";
import { StarboxError } from "#base";
import type { GenerateRequest, LanguageModel, StreamPart } from "#contracts";

export type Candidate = {
  readonly name: string;
  readonly model: () => LanguageModel;
  /** null: this implementation gives true log-probabilities. */
  readonly logprobsUnsupported: boolean;
  /** Tokens that other people's requests use are visible here, or null where nothing can be seen. */
  readonly isWorking: (() => boolean) | null;
  readonly tools: boolean;
};

export const user = (content: string): GenerateRequest["input"] => ({ messages: [{ role: "user", content }] });

export async function collect(model: LanguageModel, request: GenerateRequest) {
  const parts: StreamPart[] = [];
  for await (const part of model.stream(request)) parts.push(part);
  const text = parts.map((part) => (part.type === "text-delta" ? part.text : "")).join("");
  const calls = parts.flatMap((part) => (part.type === "tool-call" ? [part.call] : []));
  const finish = parts.find((part) => part.type === "finish");
  if (finish === undefined) throw new Error("no finish part");
  return { parts, text, calls, finish };
}

const failure = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  );

const weather = {
  name: "get_weather",
  description: "Current weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" }, unit: { enum: ["celsius", "fahrenheit"] } }, required: ["city"] },
} as const;
const search = {
  name: "search",
  description: "Search documents",
  parameters: { type: "object", properties: { query: { type: "string" } }, required: ["query"] },
} as const;

export function languageModelConformance(candidate: Candidate): void {
  const { name, model } = candidate;
  describe(name, () => {
    streaming(candidate);
    shaping(candidate);
    refusing(candidate);
    if (!candidate.tools) return; // the model's template knows no tools
    describe("tools", () => {
      test("required: exactly a call, of the right shape", async () => {
        const { calls, text, finish } = await collect(model(), {
          input: user("What is the weather in Paris?"),
          tools: [weather, search],
          toolChoice: "required",
          temperature: 0,
          maxTokens: 120,
        });
        expect(finish.reason).toBe("tool-calls");
        expect(text).toBe("");
        expect(["get_weather", "search"]).toContain(calls[0]?.name);
        expect(calls[0]?.id).toMatch(/\S/);
        expect(JSON.parse(calls[0]?.arguments ?? "")).toBeTypeOf("object");
      });
      test("a named choice is that tool, whatever the question", async () => {
        const { calls } = await collect(model(), {
          input: user("What is the weather in Paris?"),
          tools: [weather, search],
          toolChoice: { name: "search" },
          temperature: 0,
          maxTokens: 120,
        });
        expect(calls.map((call) => call.name)).toEqual(["search"]);
        expect(JSON.parse(calls[0]?.arguments ?? "").query).toBeTypeOf("string");
      });
      test("auto: the model decides, and a call it makes arrives as one", async () => {
        const { calls, finish } = await collect(model(), {
          input: user("What is the weather in Paris right now? Use the tool."),
          tools: [weather],
          temperature: 0,
          maxTokens: 120,
        });
        expect(finish.reason).toBe("tool-calls");
        expect(calls[0]?.name).toBe("get_weather");
      });
      test("none: no call", async () => {
        const { calls, finish } = await collect(model(), {
          input: user("Say hello."),
          tools: [weather],
          toolChoice: "none",
          temperature: 0,
          maxTokens: 16,
        });
        expect(calls).toEqual([]);
        expect(finish.reason).not.toBe("tool-calls");
      });
      test("a conversation with a call and its result goes on, the result in the prompt", async () => {
        const ask = (result: string) =>
          collect(model(), {
            input: {
              messages: [
                { role: "user", content: "What is the weather in Paris?" },
                { role: "assistant", content: "", toolCalls: [{ id: "c1", name: "get_weather", arguments: '{"city":"Paris"}' }] },
                { role: "tool", toolCallId: "c1", content: result },
              ],
            },
            tools: [weather],
            toolChoice: "none",
            temperature: 0,
            maxTokens: 24,
          });
        const [short, long] = [await ask("18 degrees"), await ask("18 degrees, light rain in the morning, dry and windy later")];
        expect(short.text).not.toBe("");
        expect(long.finish.usage.promptTokens).toBeGreaterThan(short.finish.usage.promptTokens + 5);
      });
    });
  });
}

function streaming({ model }: Candidate): void {
  test("start, text, exactly one finish, in this order", async () => {
    const { parts, text, finish } = await collect(model(), { input: user("What is the capital of France?"), temperature: 0, maxTokens: 24 });
    expect(parts[0]).toEqual({ type: "start" });
    expect(parts.filter((part) => part.type === "finish")).toHaveLength(1);
    expect(parts.at(-1)?.type).toBe("finish");
    expect(text).toContain("Paris");
    expect(finish.reason).toBe("stop");
  });
  test("usage: the prompt's and the answer's tokens, and no more than asked for", async () => {
    const { finish, parts } = await collect(model(), { input: user("Count from one to one hundred."), temperature: 0, maxTokens: 7 });
    expect(finish.reason).toBe("length");
    expect(finish.usage.completionTokens).toBe(7);
    expect(finish.usage.promptTokens).toBeGreaterThan(6);
    expect(parts.filter((part) => part.type === "text-delta").length).toBeGreaterThan(1);
  });
  test("greedy answers and seeded answers repeat; another seed differs", async () => {
    const ask = (seed: number) =>
      collect(model(), { input: user("Write a line about stars."), temperature: 1, seed, maxTokens: 16 }).then(({ text }) => text);
    const [first, again, other] = [await ask(7), await ask(7), await ask(8)];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });
  test("a stop string ends the answer and is not part of it", async () => {
    const { text, finish } = await collect(model(), {
      input: user("Repeat exactly: one two three four five six"),
      temperature: 0,
      maxTokens: 40,
      stop: ["three"],
    });
    expect(text.toLowerCase()).not.toContain("three");
    expect(finish.reason).toBe("stop");
  });
  test("characters arrive whole", async () => {
    const { parts } = await collect(model(), { input: user("请用中文写两句话，并加上表情符号 🚀🌟。"), temperature: 0.8, seed: 3, maxTokens: 40 });
    for (const part of parts) if (part.type === "text-delta") expect(part.text.isWellFormed()).toBe(true);
  });
  test("a raw prompt is continued", async () => {
    const { text } = await collect(model(), { input: { prompt: "1, 2, 3, 4," }, temperature: 0, maxTokens: 6 });
    expect(text).toContain("5");
  });
  test("several requests at once all finish", async () => {
    const results = await Promise.all(
      ["one", "two", "three"].map((word, i) => collect(model(), { input: user(`Say ${word}.`), temperature: 0, maxTokens: 12, person: `p${i}` })),
    );
    for (const { finish } of results) expect(finish.usage.completionTokens).toBeGreaterThan(0);
  });
  test("tokens are counted", async () => {
    const [short, long] = [await model().countTokens("hello"), await model().countTokens("hello ".repeat(50))];
    expect(short).toBeGreaterThan(0);
    expect(long).toBeGreaterThan(40);
  });
}

function shaping({ model }: Candidate): void {
  test("a JSON schema is obeyed", async () => {
    const jsonSchema = {
      type: "object",
      properties: { name: { type: "string", maxLength: 20 }, age: { type: "integer" }, colour: { enum: ["red", "green"] } },
      required: ["name", "age", "colour"],
      additionalProperties: false,
    };
    const { text } = await collect(model(), { input: user("Invent a person. Answer as JSON."), jsonSchema, temperature: 0, maxTokens: 200 });
    const value = JSON.parse(text) as { name: unknown; age: unknown; colour: unknown };
    expect(value.name).toBeTypeOf("string");
    expect(Number.isInteger(value.age)).toBe(true);
    expect(["red", "green"]).toContain(value.colour);
    expect(Object.keys(value).sort()).toEqual(["age", "colour", "name"]);
  });
  test("any JSON object", async () => {
    const { text, finish } = await collect(model(), {
      input: user('Answer with the JSON object {"ok": true} and nothing else.'),
      jsonSchema: {},
      temperature: 0,
      maxTokens: 200,
    });
    if (finish.reason === "stop") expect(JSON.parse(text)).toBeTypeOf("object");
    else expect(text.trimStart().startsWith("{")).toBe(true);
  });
  test("a schema that cannot be enforced is refused, not ignored", async () => {
    const error = await failure(
      collect(model(), { input: user("x"), jsonSchema: { type: "object", properties: { a: { type: "string", pattern: "^a+$" } } }, maxTokens: 5 }),
    );
    expect(StarboxError.is(error, "unsupported")).toBe(true);
  });
}

function refusing({ model, logprobsUnsupported, isWorking }: Candidate): void {
  test("log-probabilities are true or refused by name", async () => {
    const work = collect(model(), { input: user("Hi"), logprobs: 2, temperature: 0, maxTokens: 2 });
    if (logprobsUnsupported) expect(StarboxError.is(await failure(work), "unsupported")).toBe(true);
    else expect((await work).parts.some((part) => part.type === "text-delta" && part.logprobs !== undefined)).toBe(true);
  });
  test("a prompt that does not fit is refused with its size", async () => {
    const error = await failure(collect(model(), { input: user("many words ".repeat(6000)), maxTokens: 5 }));
    expect(StarboxError.is(error, "context_too_long")).toBe(true);
  });
  test("cancelling ends the stream with a named error, and the engine stops", async () => {
    const leaving = new AbortController();
    let texts = 0;
    const error = await failure(
      (async () => {
        for await (const part of model().stream({
          input: user("Tell a very long story about a city."),
          temperature: 0,
          maxTokens: 1000,
          signal: leaving.signal,
        })) {
          if (part.type === "text-delta" && ++texts === 3) leaving.abort();
        }
      })(),
    );
    expect(StarboxError.is(error, "cancelled")).toBe(true);
    if (isWorking !== null) await expect.poll(isWorking, { timeout: 5000 }).toBe(false);
  });
  test("an aborted signal never begins", async () => {
    const error = await failure(collect(model(), { input: user("Hi"), signal: AbortSignal.abort(), maxTokens: 5 }));
    expect(StarboxError.is(error, "cancelled")).toBe(true);
  });
  test("a reader who stops reading frees the model", async () => {
    for await (const part of model().stream({ input: user("Tell a very long story."), temperature: 0, maxTokens: 1000 }))
      if (part.type === "text-delta") break;
    if (isWorking !== null) await expect.poll(isWorking, { timeout: 5000 }).toBe(false);
    expect((await collect(model(), { input: user("Say yes."), temperature: 0, maxTokens: 4 })).finish.usage.completionTokens).toBeGreaterThan(0);
  });
}
