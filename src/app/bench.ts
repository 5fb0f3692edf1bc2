/** @file `starbox bench NAME`: gives each measurement the real box it measures. What is measured lies in `bench`; loaded when asked for. */
import fs from "node:fs";
import path from "node:path";
import { type Settings, StarboxError } from "#base";
import type { BenchOptions } from "#cli";
import type { BenchRow } from "#contracts";
import { boxProcesses, processorSeconds, readMachine } from "./machine.ts";
import type { Box } from "./open-box.ts";
import { readCommit } from "./system-service.ts";

type Measured = Omit<BenchRow, "name" | "machine" | "commit">;
type Bench = (options: BenchOptions) => AsyncGenerator<Measured>;

const dataOf = (settings: Settings): string =>
  settings.benchData === "" ? path.join(import.meta.dirname, "../../../shared/data") : path.resolve(settings.benchData);

const newFolder = (name: string): string => `${temporary}${name}-${process.pid}`;
const temporary = "once-";

/** A box of its own below the data folder: what is read and embedded once is kept for the next run, unless the folder is a new one. */
async function* onBox(
  options: BenchOptions,
  name: string,
  models: readonly ("language" | "embedding")[],
  measure: (box: Box) => AsyncGenerator<Measured>,
): AsyncGenerator<Measured> {
  const { openBox } = await import("./open-box.ts");
  const box = openBox({ ...options.settings, data: path.join(options.settings.data, "bench", name) }, { serving: false });
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
    }
    yield* measure(box);
  } finally {
    await box.close();
    if (name.startsWith(temporary)) fs.rmSync(box.storage.dataDir, { recursive: true, force: true });
  }
}

const benches: Readonly<Record<string, Bench>> = {
  async *retrieve(options) {
    const { measureRetrieve } = await import("#bench");
    yield* onBox(options, "kept", ["embedding"], ({ services }) =>
      measureRetrieve({
        services,
        data: dataOf(options.settings),
        long: options.long,
        signal: options.signal,
        note: (text) => options.note(text, text),
      }),
    );
  },
  async *answer(options) {
    const { measureAnswer } = await import("#bench");
    yield* onBox(options, "kept", ["embedding", "language"], ({ services }) =>
      measureAnswer({
        services,
        data: dataOf(options.settings),
        long: options.long,
        signal: options.signal,
        note: (text) => options.note(text, text),
      }),
    );
  },
  async *ingest(options) {
    const { measureEmbedding, measureIngest } = await import("#bench");
    const common = { data: dataOf(options.settings), signal: options.signal, note: (text: string) => options.note(text, text) };
    const samplesFolder = path.join(import.meta.dirname, "../../samples");
    // Words alone first: vectors in the background would take the processor from what is measured.
    const wordsOnly = { ...options, settings: { ...options.settings, model: "none", embedder: "none" } };
    yield* onBox(wordsOnly, newFolder("ingest"), [], ({ services }) =>
      measureIngest({ ...common, services, samplesFolder, processorSeconds, long: options.long }),
    );
    yield* onBox(options, newFolder("embed"), ["embedding"], ({ services }) => measureEmbedding({ ...common, services }));
  },
  async *load(options) {
    const { measureLoad, spawnBox } = await import("#bench");
    const { model, embedder, modelFolder } = options.settings;
    const box = await spawnBox({
      mainPath: path.join(import.meta.dirname, "main.ts"),
      env: { STARBOX_MODEL: model, STARBOX_EMBEDDER: embedder, STARBOX_MODEL_FOLDER: modelFolder },
      modelsFrom: path.join(options.settings.data, "models"),
      signal: options.signal,
    });
    try {
      const note = (text: string): void => options.note(text, text);
      yield* measureLoad({ box, data: dataOf(options.settings), long: options.long, signal: options.signal, note });
    } finally {
      await box.stop();
    }
  },
  async *idle(options) {
    const { measureIdle } = await import("#bench");
    const mainPath = path.join(import.meta.dirname, "main.ts");
    const treeBytes = (pid: number): number => boxProcesses(pid).reduce((sum, process) => sum + process.residentBytes, 0);
    const { megabytes, readySeconds } = await measureIdle({ mainPath, treeBytes, signal: options.signal });
    const same = (value: number) => ({ min: value, median: value, max: value });
    yield { case: "memory of all processes 60 s after ready, no model", unit: "MB", starbox: same(Math.round(megabytes * 10) / 10) };
    yield { case: "start until ready, no model", unit: "s", starbox: same(Math.round(readySeconds * 100) / 100) };
  },
};

export const benchNames = Object.keys(benches);

export async function* runBench(name: string, options: BenchOptions): AsyncGenerator<BenchRow> {
  const bench = benches[name];
  if (bench === undefined) throw new StarboxError("usage", `No measurement "${name}".`, { hint: `There are: ${benchNames.join(", ")}.` });
  const { cpu, cores, memoryBytes } = readMachine();
  const machine = `${cores} × ${cpu}, ${Math.round(memoryBytes / 2 ** 30)} GiB, Node ${process.versions.node}`;
  for await (const row of bench(options)) yield { name, ...row, machine, commit: readCommit() ?? "unknown" };
}
