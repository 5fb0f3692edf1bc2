/** @file Quotas before the work, usage after it: exact sums, honest times to come back, and nothing slips in beside a limit. */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StarboxError } from "#base";
import type { Actor, GenerateRequest, LanguageModel, Meter, QuotaLimits, StreamPart } from "#contracts";
import { openStorage, type Storage } from "#storage";
import { createMeter } from "./meter.ts";
import { meterEmbedding, meterLanguage } from "./metered-model.ts";
import { meterAnswers, meterKnowledge, meterModels } from "./metered-services.ts";
import { createUsageService } from "./usage-service.ts";

let folder = "";
let storage: Storage;
let meter: Meter & { running(): number };
let nowMs = 0;
const now = (): number => nowMs;
const operator: Actor = { personId: null, name: "operator", role: "operator" };
const key = { id: "key_1", models: null, bases: null, write: true };
const bob: Actor = { personId: "p_bob", name: "Bob", role: "member", key };
const eve: Actor = { personId: "p_eve", name: "Eve", role: "member" };
const noLimits = { requestsPerMinute: null, requestsPerDay: null, tokensPerMinute: null, tokensPerDay: null, tokensPerMonth: null, concurrent: null };
const quota = (kind: "everyone" | "person" | "key" | "team", subject: string, limits: Partial<QuotaLimits>): void =>
  storage.usage.writeQuota({ ...noLimits, ...limits, kind, subject, updatedAt: "2026-01-01T00:00:00Z" });
const names = { person: (id: string) => (id === "p_bob" ? '=Bob, "B"' : null), team: () => null, key: () => "help desk" };
const usage = () => createUsageService({ store: storage.usage, names, now });

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "starbox-meter-"));
  storage = openStorage(folder);
  nowMs = new Date(2026, 4, 10, 12, 0, 0).getTime();
  meter = createMeter({ store: storage.usage, now });
});
afterEach(() => {
  storage.close();
  rmSync(folder, { recursive: true, force: true });
});

/** One request of some tokens. */
function use(actor: Actor, tokens = 10, forMs = 1000): void {
  const request = meter.enter(actor, { kind: "chat", model: "m" });
  nowMs += forMs;
  request.record("m", { promptTokens: tokens - 1, completionTokens: 1 });
  request.end("done");
}
function refusal(work: () => void): { retry: number; details: unknown } | null {
  try {
    work();
    return null;
  } catch (error) {
    if (!StarboxError.is(error, "quota_exceeded")) throw error;
    return { retry: error.retryAfterSeconds ?? 0, details: error.details };
  }
}

test("requests a minute slide: the time to come back is when the oldest leaves, and then it goes on", () => {
  quota("key", "key_1", { requestsPerMinute: 3 });
  for (let i = 0; i < 3; i++) use(bob, 10, 10_000);
  const told = refusal(() => use(bob));
  expect(told).toMatchObject({ retry: 30, details: { of: "key", limit: "requestsPerMinute", allowed: 3, used: 3 } });
  expect(refusal(() => use(eve))).toBeNull();
  nowMs += 28_000; // eve's second is over
  expect(refusal(() => use(bob))?.retry).toBeGreaterThan(0);
  nowMs += 2000;
  expect(refusal(() => use(bob))).toBeNull();
});

test("days end at the box's own midnight; a restart forgets nothing", () => {
  quota("person", "p_bob", { tokensPerDay: 30 });
  for (let i = 0; i < 3; i++) use(bob);
  meter = createMeter({ store: storage.usage, now });
  const told = refusal(() => use(bob));
  expect(told).toMatchObject({ details: { of: "person", limit: "tokensPerDay", used: 30 } });
  expect(told?.retry).toBe(Math.ceil((new Date(2026, 4, 11).getTime() - nowMs) / 1000));
  nowMs += (told?.retry ?? 0) * 1000;
  expect(refusal(() => use(bob))).toBeNull();
});

test("a month ends with the month; the longest wait is told", () => {
  quota("everyone", "", { tokensPerMonth: 20, requestsPerMinute: 1 });
  use(eve, 20);
  expect(refusal(() => use(eve))?.retry).toBe(Math.ceil((new Date(2026, 5, 1).getTime() - nowMs) / 1000));
  // A row of one's own stands in the place of everyone's.
  quota("person", "p_eve", { tokensPerMonth: 1000 });
  expect(refusal(() => use(eve))).toBeNull();
});

test("at the same time: the place is taken at the door, and given back however it ends", () => {
  quota("key", "key_1", { concurrent: 2 });
  const first = meter.enter(bob, { kind: "chat", model: "m" });
  const second = meter.enter(bob, { kind: "chat", model: "m" });
  expect(refusal(() => meter.enter(bob, { kind: "chat", model: "m" }))).toMatchObject({ details: { limit: "concurrent", used: 2 } });
  expect(refusal(() => meter.check(bob))?.retry).toBeGreaterThan(0);
  second.end("failed");
  second.end("failed");
  expect(refusal(() => meter.check(bob))).toBeNull();
  first.end("cancelled");
  expect(meter.running()).toBe(0);
  expect(storage.usage.sum([])[0]).toMatchObject({ requests: 2, promptTokens: 0 });
});

test("the last tokens are not promised twice to requests that run together", () => {
  quota("key", "key_1", { tokensPerDay: 100 });
  const running = meter.enter(bob, { kind: "chat", model: "m", expectedTokens: 200 });
  expect(refusal(() => meter.check(bob))).toMatchObject({ details: { limit: "tokensPerDay", used: 0 } });
  running.record("m", { promptTokens: 5, completionTokens: 5 });
  running.end("done");
  expect(refusal(() => meter.check(bob))).toBeNull();
});

test("a team's quota counts its people, its keys and the teams below it, over a restart too; use stays where it was made", () => {
  const teams = new Map<string, readonly string[]>([
    ["p_bob", ["t_sub", "t_top"]],
    ["p_eve", ["t_top"]],
  ]);
  const start = () =>
    createMeter({
      store: storage.usage,
      now,
      teamsOf: (person, team) => [...(teams.get(person ?? "") ?? []), ...(team === null ? [] : [team, "t_top"])],
    });
  meter = start();
  const robot: Actor = { personId: null, name: "key", role: "api-only", teamId: "t_sub", key: { ...key, id: "key_2" } };
  quota("team", "t_top", { tokensPerDay: 30, concurrent: 2 });
  for (const actor of [bob, eve, robot]) use(actor, 10);
  const told = { details: { of: "team", limit: "tokensPerDay", allowed: 30, used: 30 } };
  for (const actor of [bob, eve, robot]) expect(refusal(() => use(actor))).toMatchObject(told);
  meter = start();
  expect(refusal(() => use(eve))).toMatchObject(told);
  expect(storage.usage.sum(["team"]).map((row) => [row.teamId, row.requests, row.promptTokens])).toEqual([
    ["t_sub", 2, 18],
    ["t_top", 3, 27],
  ]);
  expect(storage.usage.sum(["person"], { teamId: "t_sub" }).map((row) => row.personId)).toEqual([null, "p_bob"]);
  expect(storage.usage.sum([])[0]).toMatchObject({ requests: 3, promptTokens: 27 });
  // Somebody who leaves takes nothing along.
  teams.set("p_eve", []);
  expect(refusal(() => use(eve))).toBeNull();
  expect(refusal(() => use(bob))).toMatchObject(told);
});

test("a search is a request; its question's vector is counted for who asked, and an exhausted quota asks no engine", async () => {
  let calls = 0;
  const embedder = meterEmbedding({
    id: "e",
    dimensions: 1,
    maxTokens: 9,
    countTokens: async () => [1],
    embed: async (_, { onUsage }) => (calls++, onUsage?.({ promptTokens: 6, completionTokens: 0 }), [new Float32Array(1)]),
  });
  const knowledge = meterKnowledge({ search: async () => await embedder.embed(["q"], { kind: "query" }) } as never, meter);
  quota("person", "p_eve", { requestsPerMinute: 2 });
  await Promise.all([knowledge.search(eve, "a", { query: "q" }), knowledge.search(bob, "a", { query: "q" })]);
  await knowledge.search(eve, "a", { query: "q" });
  await expect(knowledge.search(eve, "a", { query: "q" })).rejects.toMatchObject({ code: "quota_exceeded" });
  expect(calls).toBe(3);
  // Read in at night, for nobody: not somebody's use.
  await embedder.embed(["passage"], { kind: "passage" });
  expect(storage.usage.sum(["person", "model"]).map((row) => [row.personId, row.model, row.requests, row.promptTokens])).toEqual([
    ["p_bob", "e", 1, 6],
    ["p_eve", "e", 2, 12],
  ]);
});

const parts = (prompt: number, completion: number): readonly StreamPart[] => [
  { type: "start" },
  { type: "text-delta", text: "a" },
  { type: "text-delta", text: "b" },
  { type: "finish", reason: "stop", usage: { promptTokens: prompt, completionTokens: completion, cachedTokens: 2 } },
];
const model = (play: (request: GenerateRequest) => AsyncIterable<StreamPart>): LanguageModel => ({
  id: "m",
  contextTokens: 100,
  stream: play,
  countTokens: async () => 1,
});
const whole = model(async function* () {
  yield* parts(7, 3);
});

test("a call is kept before its last part goes out; one that is left pays for what was worked", async () => {
  const metered = meterLanguage(whole, () => meter.enter(bob, { kind: "chat", model: "m" }));
  for await (const part of metered.stream({ input: { prompt: "x" } }))
    if (part.type === "finish")
      expect(storage.usage.sum([])[0]).toMatchObject({ requests: 1, promptTokens: 7, completionTokens: 3, cachedTokens: 2 });
  const left = meterLanguage(
    model(async function* (request) {
      try {
        yield* parts(7, 3).slice(0, 3);
        await new Promise(() => undefined);
      } finally {
        request.onStopped?.({ promptTokens: 7, completionTokens: 2 });
      }
    }),
    () => meter.enter(bob, { kind: "chat", model: "m" }),
  );
  for await (const part of left.stream({ input: { prompt: "x" } })) if (part.type === "text-delta") break;
  expect(storage.usage.sum([])[0]).toMatchObject({ requests: 2, calls: 2, promptTokens: 14, completionTokens: 5 });
  expect(storage.connection.all("SELECT outcome FROM usage ORDER BY rowid")).toEqual([{ outcome: "done" }, { outcome: "cancelled" }]);
  expect(meter.running()).toBe(0);
});

test("calls deep inside a request are its own: one request, every call, the right person, also while two run together", async () => {
  const models = meterModels({ languageModel: async () => whole, defaults: () => ({ language: "m", embedding: null }) } as never, meter);
  const answers = meterAnswers(
    {
      async *answer() {
        const inner = await models.languageModel();
        for (let call = 0; call < 3; call++) {
          await new Promise((resolve) => setTimeout(resolve, 2));
          for await (const part of inner.stream({ input: { prompt: "q" } }))
            if (part.type === "text-delta") yield { type: "text-delta", text: part.text };
        }
        yield { type: "finish", answer: {} } as never;
      },
    } as never,
    meter,
  );
  const run = async (actor: Actor): Promise<void> => {
    for await (const part of answers.answer(actor, { kbs: ["a"], messages: [] }))
      if (part.type === "finish")
        expect(storage.usage.sum([], { ...(actor.personId === null ? {} : { personId: actor.personId }) })[0]?.requests).toBe(1);
  };
  await Promise.all([run(bob), run(eve)]);
  const rows = await usage().sum(operator, { by: ["person"] });
  expect(rows.map((row) => [row.personId, row.requests, row.calls, row.promptTokens, row.completionTokens])).toEqual([
    ["p_bob", 1, 3, 21, 9],
    ["p_eve", 1, 3, 21, 9],
  ]);
});

test("a key's models hold; without a wish it gets the first it may use", async () => {
  const asked: (string | undefined)[] = [];
  const models = meterModels(
    { languageModel: async (id?: string) => (asked.push(id), whole), defaults: () => ({ language: "big", embedding: null }) } as never,
    meter,
  );
  const limited: Actor = { ...bob, key: { ...key, models: ["small"] } };
  await expect(models.languageModel("big", limited)).rejects.toMatchObject({ code: "forbidden" });
  await models.languageModel(undefined, limited);
  await models.languageModel("small", limited);
  expect(asked).toEqual(["small", "small"]);
});

test("people see their own; the table for a spreadsheet is quoted and no formula", async () => {
  use(bob, 10);
  use(eve, 20);
  expect(await usage().sum(eve, { by: ["person"], personId: "p_bob" })).toMatchObject([{ personId: "p_eve", promptTokens: 19 }]);
  const csv = await usage().csv(operator, {});
  expect(csv.startsWith("\ufeffday,person_id,person,")).toBe(true);
  expect(csv).toContain(`2026-05-10,p_bob,"'=Bob, ""B""",,,key_1,help desk,m,1,1,9,1,0\r\n`);
  await expect(usage().writeQuota(eve, { kind: "everyone", subject: "" })).rejects.toMatchObject({ code: "forbidden" });
  await expect(usage().writeQuota(operator, { kind: "person", subject: "nobody", concurrent: 1 })).rejects.toMatchObject({ code: "not_found" });
  await usage().writeQuota(operator, { kind: "person", subject: "p_bob", concurrent: 1 });
  await usage().writeQuota(operator, { kind: "person", subject: "p_bob" });
  expect(await usage().listQuotas(operator)).toEqual([]);
});
