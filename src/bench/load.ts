/** @file What people who chat notice while documents are read in: time to the first token, on a quiet box and under load, through HTTP like any client. */
import os from "node:os";
import { StarboxError } from "#base";
import type { KnowledgeBaseInfo } from "#contracts";
import { markdownFiles } from "./ingest.ts";
import { type Measured, same } from "./retrieve.ts";
import type { SpawnedBox } from "./spawned-box.ts";

export type LoadBench = {
  readonly box: SpawnedBox;
  /** Folder with laws/. */
  readonly data: string;
  /** Processor time used so far by everything that is not the box or this program; null: not known here. */
  readonly foreignSeconds: () => number | null;
  readonly long: boolean;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
};

const counts = { short: { documents: 150, samples: 20 }, long: { documents: 1000, samples: 45 } };
/** Between one answer and the next question. */
const thinkMs = 300;
/** So many people ask questions one after the other; not one after the documents were read. */
const questions = [
  "试用期最长多久",
  "年休假有几天",
  "工伤怎么认定",
  "加班工资怎么算",
  "网购七天能退货吗",
  "醉酒驾驶怎么处罚",
  "公积金什么时候能提取",
  "个人信息被泄露怎么办",
];

export async function* measureLoad(bench: LoadBench): AsyncGenerator<Measured> {
  const { box, note } = bench;
  const { documents, samples } = bench.long ? counts.long : counts.short;
  const name = ((await (await box.call("POST", "/api/samples", {})).json()) as KnowledgeBaseInfo).name;
  await settled(bench, name);
  await sample(bench, name, 2); // what is loaded once is not part of it
  note("quiet box");
  const quiet = await sample(bench, name, samples);
  note(
    `load of the machine: ${os
      .loadavg()
      .map((value) => value.toFixed(1))
      .join(" ")}; ${documents} documents are being read in`,
  );
  await box.call("POST", "/api/bases", { name: "load" });
  const files = markdownFiles({ data: bench.data, long: true }, 0, 1000).slice(0, documents);
  const state = { uploaded: false };
  const upload = (async () => {
    for (const file of files) await box.call("PUT", `/api/bases/load/files?path=${encodeURIComponent(file.path)}`, file.bytes);
    state.uploaded = true;
  })();
  // Until something is in the queue.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const loaded = await sample(bench, name, samples, async () => {
    const { pending, embedded, chunks } = await readBase(box, "load");
    return !state.uploaded || pending > 0 || embedded < chunks;
  });
  note(
    `load of the machine: ${os
      .loadavg()
      .map((value) => value.toFixed(1))
      .join(" ")}`,
  );
  const after = await readBase(box, "load");
  await upload;
  for (const kind of ["model", "base"] as const) {
    note(`${kind}, ms in order: ${quiet[kind].map(Math.round).join(" ")} | ${loaded[kind].map(Math.round).join(" ")}`);
    const what = kind === "model" ? "chat with the model" : "question to a base";
    if (quiet[kind].length === 0 || loaded[kind].length === 0)
      throw new StarboxError("busy", "Other programs kept the processor busy during every question.", {
        hint: "Measure again when the machine is quiet.",
        zh: { message: "每次提问时其他程序都占用了处理器。", hint: "请在机器空闲时重新测量。" },
      });
    yield latency(`${what}, time to first token, quiet box, ${quiet[kind].length} questions`, quiet[kind]);
    yield latency(`${what}, time to first token, ${documents} documents being read in, ${loaded[kind].length} questions`, loaded[kind]);
    yield { case: `${what}: p95 under load / quiet`, unit: "ratio", starbox: same(p95(loaded[kind]) / p95(quiet[kind])) };
  }
  yield latency("GET /healthz, quiet box", quiet.health);
  yield latency(`GET /healthz, ${documents} documents being read in`, loaded.health);
  yield { case: "questions set aside because other programs were busy, quiet box", unit: "questions", starbox: same(quiet.disturbed) };
  yield { case: "questions set aside because other programs were busy, reading in", unit: "questions", starbox: same(loaded.disturbed) };
  yield { case: "documents read, at the last question", unit: "documents", starbox: same(after.documents - after.pending) };
}

type Samples = { readonly model: number[]; readonly base: number[]; readonly health: number[]; disturbed: number };

/** More than so much of one core, on average over a question, was used by other programs: ticks of the clock alone make up half of it. */
const foreignCores = 0.15;

/**
 * Asks by turns the model alone and a base; /healthz tells of stalls in the box itself. A question during which programs
 * other than the box held the processor is set aside and asked again: the ratio is about the box, not about the hour.
 */
async function sample(bench: LoadBench, name: string, most: number, goesOn: () => Promise<boolean> = async () => true): Promise<Samples> {
  const samples: Samples = { model: [], base: [], health: [], disturbed: 0 };
  const keep = async (list: number[], work: () => Promise<number>): Promise<void> => {
    const before = bench.foreignSeconds();
    const started = performance.now();
    const value = await work();
    const took = (performance.now() - started) / 1000;
    if (((bench.foreignSeconds() ?? 0) - (before ?? 0)) / took > foreignCores) samples.disturbed++;
    else if (list.length < most) list.push(value);
  };
  for (let i = 0; i < 4 * most && (samples.model.length < most || samples.base.length < most) && (await goesOn()); i++) {
    const question = `${questions[i % questions.length]}（第${i}位提问者）？`;
    await keep(samples.model, () => firstToken(bench, { question }));
    await pause(thinkMs);
    await keep(samples.base, () => firstToken(bench, { question, name }));
    for (let beat = 0; beat < 3; beat++) {
      const started = performance.now();
      await bench.box.call("GET", "/healthz");
      samples.health.push(performance.now() - started);
      await pause(thinkMs / 3);
    }
  }
  return samples;
}

/** Milliseconds from the request until the first piece of text; the rest is read, as a person would. */
async function firstToken({ box }: LoadBench, ask: { readonly question: string; readonly name?: string }): Promise<number> {
  const started = performance.now();
  const model = ask.name === undefined ? await defaultModel(box) : `kb:${ask.name}`;
  const response = await box.call("POST", "/v1/chat/completions", {
    model,
    stream: true,
    max_tokens: 12,
    messages: [{ role: "user", content: ask.question }],
  });
  let first: number | null = null;
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    if (first === null && /"content":\s*"[^"]/.test(text)) first = performance.now() - started;
  }
  return first ?? performance.now() - started;
}

const models = new WeakMap<SpawnedBox, string>();
async function defaultModel(box: SpawnedBox): Promise<string> {
  const known = models.get(box);
  if (known !== undefined) return known;
  const { items } = (await (await box.call("GET", "/api/models")).json()) as {
    readonly items: readonly { readonly id: string; readonly kind: string; readonly isDefault: boolean }[];
  };
  const id = items.find((model) => model.kind === "language" && model.isDefault)?.id ?? "";
  models.set(box, id);
  return id;
}

async function readBase(box: SpawnedBox, name: string): Promise<KnowledgeBaseInfo> {
  return (await (await box.call("GET", `/api/bases/${encodeURIComponent(name)}`)).json()) as KnowledgeBaseInfo;
}

async function settled({ box, signal }: LoadBench, name: string): Promise<void> {
  for (;;) {
    const { pending, embedded, chunks } = await readBase(box, name);
    if (pending === 0 && embedded === chunks) return;
    signal.throwIfAborted();
    await pause(500);
  }
}

/** Nearest rank: of 20 values the 19th. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
const p95 = (values: readonly number[]): number => quantile(values, 0.95);

function latency(name: string, ms: readonly number[]): Measured {
  const at = (share: number): number => Math.round(quantile(ms, share) * 10) / 10;
  return { case: `${name}: fastest, p50, p95`, unit: "ms", starbox: { min: at(0), median: at(0.5), max: at(0.95) } };
}

const pause = async (ms: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, ms));
