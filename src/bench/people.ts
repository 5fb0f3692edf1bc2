/** @file Fifty people at once, reading pages and asking: errors, page times while the engine is saturated, fairness among them, memory. Over HTTP, with keys of their own. */
import type { DocumentInfo, KnowledgeBaseInfo } from "#contracts";
import { type Measured, same } from "./retrieve.ts";
import type { SpawnedBox } from "./spawned-box.ts";

export type PeopleBench = {
  readonly box: SpawnedBox;
  /** Id of the language model that is asked. */
  readonly model: string;
  /** Resident bytes of all processes of the box. */
  readonly boxBytes: () => number;
  readonly long: boolean;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
};

const people = 50;
const seconds = { short: 120, long: 3600 };
/** What is loaded, cached and compiled once is not growth. */
const warmUpShare = 0.25;
const answerTokens = 16;
/** Half of what people do is reading: a page, then a look at it. */
const lookMs = 1500;

type Person = { readonly key: string; answers: number; refused: number };
type Tally = {
  readonly pages: number[];
  readonly asks: number[];
  readonly errors: string[];
  readonly memory: { readonly at: number; readonly bytes: number }[];
};

export async function* measurePeople(bench: PeopleBench): AsyncGenerator<Measured> {
  const { box, note, signal } = bench;
  const durationMs = (bench.long ? seconds.long : seconds.short) * 1000;
  const base = (await (await box.call("POST", "/api/samples", {})).json()) as KnowledgeBaseInfo;
  for (;;) {
    const { pending, chunks } = (await (await box.call("GET", `/api/bases/${base.id}`)).json()) as KnowledgeBaseInfo;
    if (pending === 0 && chunks > 0) break;
    await pause(500, signal);
  }
  const { items } = (await (await box.call("GET", `/api/bases/${base.id}/documents?limit=50`)).json()) as { items: readonly DocumentInfo[] };
  note(`${people} people sign in`);
  const persons: Person[] = [];
  for (let i = 0; i < people; i++) persons.push({ key: await enrol(box, i), answers: 0, refused: 0 });
  note(`${people} people read and ask for ${durationMs / 1000} s`);
  const tally: Tally = { pages: [], asks: [], errors: [], memory: [] };
  const began = performance.now();
  const warm = began + durationMs * warmUpShare;
  const end = began + durationMs;
  const watch = setInterval(() => tally.memory.push({ at: performance.now(), bytes: bench.boxBytes() }), Math.max(1000, durationMs / 200));
  try {
    await Promise.all(persons.map(async (person, i) => await live(bench, person, i, base, items, tally, warm, end)));
  } finally {
    clearInterval(watch);
  }
  for (const line of [...new Set(tally.errors)].slice(0, 5)) note(line);
  const answered = persons.map((person) => person.answers);
  yield { case: `${people} people for ${durationMs / 1000} s: errors other than an honest 429`, unit: "errors", starbox: same(tally.errors.length) };
  yield {
    case: `${people} people: pages, p95 while the engine is saturated`,
    unit: "ms",
    starbox: { min: quantile(tally.pages, 0), median: quantile(tally.pages, 0.95), max: quantile(tally.pages, 1) },
  };
  yield { case: `${people} people: answers in all`, unit: "answers", starbox: same(answered.reduce((sum, count) => sum + count, 0)) };
  yield {
    case: `${people} people: asked to come back later (429)`,
    unit: "answers",
    starbox: same(persons.reduce((sum, person) => sum + person.refused, 0)),
  };
  yield { case: `${people} people: fairness of answers (Jain)`, unit: "index", starbox: same(Math.round(jain(answered) * 1000) / 1000) };
  yield {
    case: `${people} people: memory after warm-up to the end`,
    unit: "% growth",
    starbox: same(Math.round(growth(tally.memory, warm, end) * 10) / 10),
  };
}

/** A member with a key, the way a person gets one. */
async function enrol(box: SpawnedBox, number: number): Promise<string> {
  const email = `person${number}@example.org`;
  const password = `password of ${number}`;
  await box.call("POST", "/api/people", { name: `Person ${number}`, email, password, role: "member" });
  const json = { "content-type": "application/json" };
  const signedIn = await fetch(`${box.url}/api/auth/sign-in/email`, { method: "POST", headers: json, body: JSON.stringify({ email, password }) });
  const cookie = signedIn.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  const made = await fetch(`${box.url}/api/keys`, {
    method: "POST",
    headers: { ...json, cookie, origin: box.url },
    body: JSON.stringify({ name: "load" }),
  });
  return ((await made.json()) as { readonly key: string }).key;
}

async function live(
  bench: PeopleBench,
  person: Person,
  number: number,
  base: KnowledgeBaseInfo,
  documents: readonly DocumentInfo[],
  tally: Tally,
  warm: number,
  end: number,
): Promise<void> {
  const { box, model, signal } = bench;
  // Not all at the same moment.
  await pause((lookMs / people) * number, signal);
  const authorization = `Bearer ${person.key}`;
  let comeBackAt = 0;
  for (let turn = number; performance.now() < end; turn++) {
    signal.throwIfAborted();
    try {
      const document = documents[turn % documents.length];
      const pages = ["/", "/api/bases", `/api/bases/${base.id}/documents?limit=50`, `/api/documents/${document?.id}`, "/api/chats", "/api/session"];
      const started = performance.now();
      const page = await fetch(`${box.url}${pages[turn % pages.length]}`, {
        headers: { authorization, accept: turn % pages.length === 0 ? "text/html" : "application/json" },
      });
      await page.arrayBuffer();
      if (!page.ok) tally.errors.push(`${pages[turn % pages.length]}: ${page.status}`);
      else if (started > warm) tally.pages.push(performance.now() - started);
      if (performance.now() >= comeBackAt) comeBackAt = await ask(bench, person, authorization, turn, model, tally, warm, end);
    } catch (error) {
      // A broken connection is the box's error, to be counted; not the end of the measurement.
      signal.throwIfAborted();
      tally.errors.push(String(error instanceof Error ? (error.cause ?? error) : error));
    }
    await pause(lookMs * (0.5 + ((turn * 7 + number * 13) % 10) / 10), signal);
  }
}

/** When to ask next: at once, or when the box said. */
async function ask(
  bench: PeopleBench,
  person: Person,
  authorization: string,
  turn: number,
  model: string,
  tally: Tally,
  warm: number,
  end: number,
): Promise<number> {
  const started = performance.now();
  const body = {
    model,
    max_tokens: answerTokens,
    temperature: 0,
    messages: [{ role: "user", content: `Question ${turn}: name a river and a city on it.` }],
  };
  const response = await fetch(`${bench.box.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await response.arrayBuffer();
  const now = performance.now();
  if (response.ok) {
    // Fairness is counted from the first second: warm-up only blurs times and memory.
    if (now < end) person.answers++;
    if (started > warm) tally.asks.push(now - started);
    return 0;
  }
  const after = Number(response.headers.get("retry-after"));
  if (response.status !== 429 || !(after > 0))
    tally.errors.push(`/v1/chat/completions: ${response.status}${response.status === 429 ? " without Retry-After" : ""}`);
  else if (started > warm) person.refused++;
  return now + (after > 0 ? after : 1) * 1000;
}

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  signal.throwIfAborted();
  await new Promise((resolve) => setTimeout(resolve, ms));
};

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0) * 10) / 10;
}

/** 1: all got the same; 1/n: one got everything. */
function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return squares === 0 ? 0 : (sum * sum) / (values.length * squares);
}

/** Median of the last fifth over the median of the first fifth after warm-up, in percent. */
function growth(memory: Tally["memory"], warm: number, end: number): number {
  const part = (from: number, to: number): number =>
    quantile(
      memory.filter(({ at }) => at >= warm + (end - warm) * from && at <= warm + (end - warm) * to).map(({ bytes }) => bytes),
      0.5,
    );
  const before = part(0, 0.2);
  return before === 0 ? 0 : 100 * (part(0.8, 1) / before - 1);
}
