/** @file `starbox bench NAME`: gives each measurement the real box it measures. What is measured lies in `bench`; loaded when asked for. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { type Settings, StarboxError } from "#base";
import type { BenchOptions } from "#cli";
import type { BenchRow, EmbeddingModel } from "#contracts";
import { boxProcesses, foreignSeconds, processorSeconds, readMachine } from "./machine.ts";
import type { Box } from "./open-box.ts";
import { readCommit } from "./system-service.ts";

type Measured = Omit<BenchRow, "name" | "machine" | "commit">;
type Bench = (options: BenchOptions) => AsyncGenerator<Measured>;

const dataOf = (settings: Settings): string =>
  settings.benchData === "" ? path.join(import.meta.dirname, "../../../shared/data") : path.resolve(settings.benchData);

const commonOf = (options: BenchOptions) => ({
  data: dataOf(options.settings),
  signal: options.signal,
  note: (text: string): void => options.note(text, text),
});

const newFolder = (name: string): string => `${temporary}${name}-${process.pid}`;
const temporary = "once-";

/** A box of its own below the data folder: what is read and embedded once is kept for the next run, unless the folder is a new one. */
async function* onBox(
  options: BenchOptions,
  name: string,
  models: readonly ("language" | "embedding")[],
  measure: (box: Box) => AsyncGenerator<Measured>,
  wrapEmbedder?: (model: EmbeddingModel) => EmbeddingModel,
): AsyncGenerator<Measured> {
  const { openBox } = await import("./open-box.ts");
  const data = benchFolder(options, name);
  shareModels(options.settings.data, data);
  const box = openBox({ ...options.settings, data }, { serving: false, ...(wrapEmbedder === undefined ? {} : { wrapEmbedder }) });
  try {
    await box.start();
    await box.chooseDefaults(options.signal);
    for (const kind of models) {
      const id = box.services.models.defaults()[kind];
      if (id === null)
        throw new StarboxError("model_not_ready", `This measurement needs a ${kind} model; it is switched off.`, {
          hint: "Unset STARBOX_MODEL / STARBOX_EMBEDDER.",
        });
      await box.services.models.pull(id);
      await box.services.models.waitFor(id, options.signal);
      if (kind === "embedding") await checkEmbedder(box, id);
    }
    yield* measure(box);
  } finally {
    await box.close();
    if (name.startsWith(temporary)) fs.rmSync(box.storage.dataDir, { recursive: true, force: true });
  }
}

/** Vectors kept from earlier runs must come from the same weights. */
async function checkEmbedder({ storage, services }: Box, id: string): Promise<void> {
  const sha256 = (await services.models.list()).find((model) => model.id === id)?.sha256 ?? "";
  const known = storage.settings.read(embedderSetting);
  if (known === null) storage.settings.write(embedderSetting, sha256);
  else if (known !== sha256)
    throw new StarboxError(
      "conflict",
      `The vectors in ${storage.dataDir} were made by another embedder (${known.slice(0, 8)}, now ${sha256.slice(0, 8)}).`,
      {
        hint: "Remove that folder: the next run makes them anew.",
        zh: { message: `${storage.dataDir} 中的向量由另一个嵌入模型生成。`, hint: "请删除该文件夹，下次运行会重新生成。" },
      },
    );
}
const embedderSetting = "bench.embedder";
const benchFolder = (options: BenchOptions, name: string): string => path.join(options.settings.data, "bench", name);

/** Models are fetched once, into the data folder's own place. */
function shareModels(from: string, to: string): void {
  if (fs.existsSync(path.join(to, "models"))) return;
  fs.mkdirSync(path.join(from, "models"), { recursive: true, mode: 0o700 });
  fs.mkdirSync(to, { recursive: true, mode: 0o700 });
  fs.symlinkSync(path.join(from, "models"), path.join(to, "models"));
}

async function* retrieveQuality(options: BenchOptions): AsyncGenerator<Measured> {
  const { measureRetrieve } = await import("#bench");
  yield* onBox(options, "kept", ["embedding"], ({ services }) => measureRetrieve({ ...commonOf(options), services, long: options.long }));
}

/** A box of its own, so that words of other bases cost nothing; vectors of the same passages are taken from the kept box and given to it. */
async function* retrieveLarge(options: BenchOptions): AsyncGenerator<Measured> {
  const { measureLarge, withJitteredCopies } = await import("#bench");
  const { openIndexReader, openStorage } = await import("#storage");
  const { measureVectorRecall } = await import("#knowledge");
  const kept = openStorage(benchFolder(options, "kept"));
  const hashOf = (text: string): Uint8Array => createHash("sha256").update(text).digest().subarray(0, 16);
  const wrapEmbedder = (model: EmbeddingModel): EmbeddingModel =>
    withJitteredCopies(model, {
      find: (text) => kept.vectors.find(model.id, hashOf(text)),
      keep: (text, vector) => void kept.vectors.write(model.id, hashOf(text), vector),
    });
  const recall = async (box: Box, kbId: string, folder: string, questions: readonly string[]) => {
    const model = await box.services.models.embeddingModel();
    const vectors = await model.embed(questions, { kind: "query" });
    const reader = openIndexReader(box.storage.dataDir);
    try {
      return measureVectorRecall(reader, { kbIds: [kbId], filter: { folder } }, vectors, 10);
    } finally {
      reader.close();
    }
  };
  try {
    yield* onBox(
      options,
      options.long ? "large" : "large-short",
      ["embedding"],
      (box) => measureLarge({ ...commonOf(options), services: box.services, long: options.long, recall: (...asked) => recall(box, ...asked) }),
      wrapEmbedder,
    );
  } finally {
    kept.close();
  }
}

async function* answerDrcd(options: BenchOptions): AsyncGenerator<Measured> {
  const { measureAnswer } = await import("#bench");
  yield* onBox(options, "kept", ["embedding", "language"], ({ services }) => measureAnswer({ ...commonOf(options), services, long: options.long }));
}

/** Words alone: vectors in the background would take the processor from what is measured. */
async function* ingestWords(options: BenchOptions): AsyncGenerator<Measured> {
  const { measureIngest } = await import("#bench");
  const samplesFolder = path.join(import.meta.dirname, "../../samples");
  const wordsOnly = { ...options, settings: { ...options.settings, model: "none", embedder: "none" } };
  yield* onBox(wordsOnly, newFolder("ingest"), [], ({ services }) =>
    measureIngest({ ...commonOf(options), services, samplesFolder, processorSeconds, long: options.long }),
  );
}

async function* ingestVectors(options: BenchOptions): AsyncGenerator<Measured> {
  const { measureEmbedding } = await import("#bench");
  yield* onBox(options, newFolder("embed"), ["embedding"], ({ services }) => measureEmbedding({ ...commonOf(options), services }));
}

async function* loadIngest(options: BenchOptions): AsyncGenerator<Measured> {
  const { measureLoad, spawnBox } = await import("#bench");
  const { model, embedder, modelFolder } = options.settings;
  const box = await spawnBox({
    mainPath: path.join(import.meta.dirname, "main.ts"),
    env: { STARBOX_MODEL: model, STARBOX_EMBEDDER: embedder, STARBOX_MODEL_FOLDER: modelFolder },
    modelsFrom: path.join(options.settings.data, "models"),
    signal: options.signal,
  });
  try {
    yield* measureLoad({ ...commonOf(options), box, foreignSeconds, long: options.long });
  } finally {
    await box.stop();
  }
}

async function* loadPeople(options: BenchOptions): AsyncGenerator<Measured> {
  const { measurePeople, spawnBox } = await import("#bench");
  const { model, embedder, modelFolder } = options.settings;
  const box = await spawnBox({
    mainPath: path.join(import.meta.dirname, "main.ts"),
    env: { STARBOX_MODEL: model, STARBOX_EMBEDDER: embedder, STARBOX_MODEL_FOLDER: modelFolder },
    modelsFrom: path.join(options.settings.data, "models"),
    signal: options.signal,
  });
  try {
    const { items } = (await (await box.call("GET", "/api/models")).json()) as { items: readonly { id: string; kind: string; isDefault: boolean }[] };
    const asked = items.find((item) => item.kind === "language" && item.isDefault)?.id ?? "";
    const boxBytes = (): number => boxProcesses(box.pid).reduce((sum, process) => sum + process.residentBytes, 0);
    yield* measurePeople({ ...commonOf(options), box, model: asked, boxBytes, long: options.long });
  } finally {
    await box.stop();
  }
}

/** No model: the rows are the same, and nothing else takes time. */
async function* loadRecords(options: BenchOptions): AsyncGenerator<Measured> {
  const { measureRecords } = await import("#bench");
  const noModels = { ...options, settings: { ...options.settings, model: "none", embedder: "none" } };
  yield* onBox(noModels, newFolder("records"), [], ({ services, audit }) =>
    measureRecords({ ...commonOf(options), services, audit, long: options.long }),
  );
}

async function* idleMemory(options: BenchOptions): AsyncGenerator<Measured> {
  const { measureIdle } = await import("#bench");
  const mainPath = path.join(import.meta.dirname, "main.ts");
  const treeBytes = (pid: number): number => boxProcesses(pid).reduce((sum, process) => sum + process.residentBytes, 0);
  const { megabytes, readySeconds } = await measureIdle({ mainPath, treeBytes, signal: options.signal });
  const same = (value: number) => ({ min: value, median: value, max: value });
  yield { case: "memory of all processes 60 s after ready, no model", unit: "MB", starbox: same(Math.round(megabytes * 10) / 10) };
  yield { case: "start until ready, no model", unit: "s", starbox: same(Math.round(readySeconds * 100) / 100) };
}

async function* trainStep(options: BenchOptions): AsyncGenerator<Measured> {
  yield* (await import("./train-bench.ts")).benchStep(options, dataOf(options.settings));
}
async function* trainConsultations(options: BenchOptions): AsyncGenerator<Measured> {
  yield* (await import("./train-bench.ts")).benchConsultations(options, dataOf(options.settings));
}

/** Each measurement by its cases, which can also be run alone. */
/** Both engines over the same files, each model in a process of its own. */
async function* inferTurns(options: BenchOptions): AsyncGenerator<Measured> {
  const [{ measureInfer }, { createModels }, { silentLogger }] = await Promise.all([import("#bench"), import("#models"), import("#base")]);
  const data = benchFolder(options, "kept");
  shareModels(options.settings.data, data);
  const settings = { ...options.settings, context: 1024, parallel: 8 };
  const open = (engine: "own" | "llama.cpp") => createModels({ dataDir: data, settings: { ...settings, engine }, logger: silentLogger });
  const [own, peer] = [open("own"), open("llama.cpp")];
  try {
    const models = [];
    for (const id of ["smollm2-135m-instruct", "qwen2.5-coder-0.5b-instruct"]) {
      await peer.pull(id);
      await peer.waitFor(id, options.signal);
      models.push({ id, own: await own.languageModel(id), peer: await peer.languageModel(id) });
    }
    yield* measureInfer({ models, rounds: options.long ? 7 : 3, signal: options.signal, note: (text) => options.note(text, text) });
  } finally {
    await Promise.all([own.close(), peer.close()]);
  }
}

const benches: Readonly<Record<string, Readonly<Record<string, Bench>>>> = {
  retrieve: { quality: retrieveQuality, large: retrieveLarge },
  answer: { drcd: answerDrcd },
  ingest: { words: ingestWords, vectors: ingestVectors },
  load: { people: loadPeople, ingest: loadIngest, records: loadRecords },
  idle: { memory: idleMemory },
  train: { step: trainStep, consultations: trainConsultations },
  infer: { turns: inferTurns },
};

export const benchNames = Object.keys(benches);

export async function* runBench(name: string, options: BenchOptions): AsyncGenerator<BenchRow> {
  const cases = benches[name];
  if (cases === undefined)
    throw new StarboxError("usage", `No measurement "${name}".`, {
      hint: `There are: ${benchNames.join(", ")}.`,
      zh: { message: `没有测量项目“${name}”。`, hint: `可用的有：${benchNames.join("、")}。` },
    });
  const { cpu, cores, memoryBytes } = readMachine();
  const machine = `${cores} × ${cpu}, ${Math.round(memoryBytes / 2 ** 30)} GiB, Node ${process.versions.node}`;
  for (const measure of chooseCases(name, cases, options.only))
    for await (const row of measure(options)) yield { name, ...row, machine, commit: readCommit() ?? "unknown" };
}

function chooseCases(name: string, cases: Readonly<Record<string, Bench>>, only: string | undefined): readonly Bench[] {
  if (only === undefined) return Object.values(cases);
  const found = cases[only];
  if (found !== undefined) return [found];
  const known = Object.keys(cases).join(", ");
  throw new StarboxError("usage", `Measurement "${name}" has no case "${only}".`, {
    hint: `There are: ${known}.`,
    zh: { message: `测量项目“${name}”没有“${only}”这一项。`, hint: `可用的有：${known}。` },
  });
}
