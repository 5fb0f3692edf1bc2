/** @file One training run from files to files: base, rows, device, estimate, loop, adapters. What `starbox train` runs. */
import { createHash } from "node:crypto";
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { StarboxError } from "#base";
import { type ActivationType, CpuDevice, type DeviceTensor, ensureNative } from "#compute";
import type { TrainLineOf } from "#contracts";
import { type BaseModel, heldSpec, loadWeights, openBaseModel } from "./base-model.ts";
import { readTrainingRows } from "./dataset.ts";
import { RowEncoder } from "./encode-row.ts";
import { type Estimate, estimateMemory, estimateSeconds, refuseTooLarge } from "./estimate.ts";
import { type AdapterAbout, continueFromPeft, writeGgufAdapter, writePeft } from "./export-adapter.ts";
import { planAdapters } from "./lora.ts";
import { type MergedType, writeMerged, writeSameWeights } from "./merge.ts";
import type { Example } from "./pack.ts";
import { loraScale, type RunConfig } from "./run-config.ts";
import { type AskEngine, compareWithServing, type ServedReport } from "./served.ts";
import type { StepOptions } from "./step-program.ts";
import { Stepper } from "./stepper.ts";
import { splitExamples, stepsOf, type TrainEvent, type TrainingSet, type TrainOutcome, train } from "./trainer.ts";

export type SessionOptions = {
  readonly run: RunConfig;
  readonly baseFile: string;
  readonly datasetFile: string;
  /** The run's own folder: checkpoints, adapters. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly note: (english: string, chinese: string) => void;
  readonly freeBytes?: () => number;
};

type DataEvent = TrainLineOf<"data">;
type ExportEvent = TrainLineOf<"export">;
export type SessionEvent = TrainEvent | DataEvent | TrainLineOf<"estimate"> | ExportEvent;

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  const handle = await fs.open(file, "r");
  try {
    for await (const part of handle.createReadStream({ highWaterMark: 1 << 22 })) hash.update(part as Buffer);
  } finally {
    await handle.close();
  }
  return hash.digest("hex");
}

/** bf16 between operators where the processor multiplies it, else f32. */
const activationsOf = ({ activations }: RunConfig, device: CpuDevice): ActivationType =>
  activations === "auto" ? (device.isa.includes("bf16") ? "bf16" : "f32") : activations;

/** Everything of a run that is open. */
export class Session implements AsyncDisposable {
  readonly run: RunConfig;
  readonly set: TrainingSet;
  readonly data: DataEvent;
  readonly model: BaseModel & AsyncDisposable;
  readonly encoder: RowEncoder;
  readonly device: CpuDevice;
  readonly stepOptions: StepOptions;
  readonly #options: SessionOptions;
  #weights: Map<string, DeviceTensor> | null = null;
  #stepper: Stepper | null = null;

  private constructor(parts: Pick<Session, "run" | "set" | "data" | "model" | "encoder" | "device" | "stepOptions">, options: SessionOptions) {
    this.run = parts.run;
    this.set = parts.set;
    this.data = parts.data;
    this.model = parts.model;
    this.encoder = parts.encoder;
    this.device = parts.device;
    this.stepOptions = parts.stepOptions;
    this.#options = options;
  }

  static async open(options: SessionOptions): Promise<Session> {
    const { run } = options;
    const model = await openBaseModel(options.baseFile);
    try {
      const encoder = new RowEncoder(model.source);
      const { set, data } = await readSet(options, encoder);
      const threads = run.threads === 0 ? os.availableParallelism() : run.threads;
      const device = new CpuDevice({ library: await ensureNative(), threads });
      const stepOptions: StepOptions = {
        config: model.config,
        tensors: new Map([...model.tensors].map(([name, spec]) => [name, heldSpec(spec, run.baseType)])),
        adapters: planAdapters(model.config, model.tensors, run),
        rank: run.rank,
        scale: loraScale(run),
        activations: activationsOf(run, device),
        dropout: run.dropout,
        clip: run.clip,
        weightDecay: run.weightDecay,
      };
      return new Session({ run, set, data, model, encoder, device, stepOptions }, options);
    } catch (error) {
      await model[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Loads the base when first asked for. */
  async stepper(): Promise<Stepper> {
    if (this.#stepper !== null) return this.#stepper;
    this.#weights = await loadWeights(this.device, this.model, this.run.baseType);
    this.#stepper = new Stepper(this.device, this.#weights, this.stepOptions, this.run.seed);
    return this.#stepper;
  }

  /** Memory from the programs' own plans; time from one real step of the run, not applied. */
  async estimate(): Promise<Estimate> {
    const memory = estimateMemory(this.device, this.model, this.stepOptions, this.set, this.run);
    refuseTooLarge(memory, (this.#options.freeBytes ?? os.freemem)());
    const steps = stepsOf(this.set.training.length, this.run);
    const seconds = await estimateSeconds(await this.stepper(), this.set, this.run, this.#options.signal);
    return { memoryBytes: memory, seconds, steps };
  }

  /** Without checkpoints a killed run begins anew: for measuring. */
  async *train(options: { readonly checkpoints: boolean } = { checkpoints: true }): AsyncGenerator<TrainEvent, TrainOutcome> {
    const { run, set, model } = this;
    const stepper = await this.stepper();
    if (run.continueFrom !== null) await continueFromPeft(run.continueFrom, stepper, model.config, run);
    const circumstances = `${await sha256Of(this.#options.baseFile)} ${this.device.isa} ${this.stepOptions.activations}`;
    return yield* train({
      run,
      stepper,
      set,
      folder: options.checkpoints ? this.#options.folder : null,
      circumstances,
      signal: this.#options.signal,
    });
  }

  /** PEFT and GGUF adapters into the run's folder. */
  async export(): Promise<ExportEvent> {
    const { folder, baseFile } = this.#options;
    const stepper = await this.stepper();
    const about: AdapterAbout = {
      run: this.run,
      config: this.model.config,
      baseId: this.run.base,
      baseSha256: await sha256Of(baseFile),
      templateHash: this.encoder.templateHash,
    };
    const peft = path.join(folder, "peft");
    const bytes = await writePeft(peft, stepper, about);
    const gguf = path.join(folder, "adapter.gguf");
    await writeGgufAdapter(gguf, stepper, about);
    return { type: "export", peft, gguf, sha256: createHash("sha256").update(bytes).digest("hex") };
  }

  /** The base with exactly the trainer's weights, as an f32 file. */
  writeSameWeights(file: string): Promise<void> {
    return writeSameWeights(file, this.#options.baseFile, this.device, this.model, this.run.baseType);
  }

  /** The base with the adapter worked in. */
  async writeMerged(file: string, type: MergedType): Promise<void> {
    await writeMerged(file, this.#options.baseFile, this.device, this.model, await this.stepper(), type);
  }

  async compareWithServing(ask: AskEngine, signal: AbortSignal): Promise<ServedReport> {
    return await compareWithServing(await this.stepper(), this.set, ask, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stepper?.[Symbol.dispose]();
    for (const tensor of this.#weights?.values() ?? []) tensor[Symbol.dispose]();
    this.device[Symbol.dispose]();
    await this.model[Symbol.asyncDispose]();
  }
}

async function readSet({ run, datasetFile, note }: SessionOptions, encoder: RowEncoder): Promise<{ set: TrainingSet; data: DataEvent }> {
  const encoded = (await readTrainingRows(datasetFile)).map((row) => encoder.encode(row, run));
  const cut = encoded.filter((row) => row.cut).length;
  const learned = encoded.filter(({ weights }) => weights.some((weight) => weight > 0));
  const empty = encoded.length - learned.length;
  if (cut > 0) note(`${cut} rows are longer than ${run.cutoff} tokens and were cut.`, `${cut} 行超过 ${run.cutoff} 个 token，已截断。`);
  if (empty > 0) note(`${empty} rows hold nothing to learn and are left out.`, `${empty} 行没有可学习的内容，已略去。`);
  if (learned.length === 0)
    throw new StarboxError("invalid_input", "Nothing is learned: no row has an answer to learn.", {
      hint: "Conversations need assistant messages; `trainOnPrompt` learns everything.",
      zh: { message: "没有任何可学习的数据行。", hint: "对话需包含 assistant 消息；trainOnPrompt 会学习全部内容。" },
    });
  const set = splitExamples(learned, run);
  const count = (examples: readonly Example[], of: (example: Example) => number): number => examples.reduce((sum, example) => sum + of(example), 0);
  const tokens = count(set.training, ({ ids }) => ids.length);
  const supervised = count(set.training, ({ weights }) => weights.filter((weight) => weight > 0).length);
  return { set, data: { type: "data", rows: set.training.length, validation: set.validation.length, tokens, learned: supervised, cut, empty } };
}
