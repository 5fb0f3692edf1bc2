/** @file One optimiser step on a device: micro-batches padded to few shapes, programs kept by shape, gradients summed in order, the update. */
import { type Device, type DeviceTensor, type Executable, elementCount, type Program, type TensorData } from "#compute";
import { type Adapter, initialValues, type Part, partName, partSpec } from "./lora.ts";
import type { Packed } from "./pack.ts";
import { fusedProgram, gradientProgram, logitsProgram, lossProgram, type Shape, type StepOptions, updateProgram } from "./step-program.ts";

export type StepResult = { readonly loss: number; readonly gradientNorm: number };
export type Rates = { readonly a: number; readonly b: number };
export type StateName = "param" | "m" | "v";

/** Rows are padded to a multiple of this: few shapes, at most 1/16 more rows. */
export const roundUp = (count: number, least: number): number => {
  const grain = Math.max(least, 2 ** Math.floor(Math.log2(Math.max(1, count / 16))));
  return Math.ceil(Math.max(1, count) / grain) * grain;
};

export const shapeOf = ({ ids, rows, segments }: Packed): Shape => ({
  tokens: roundUp(ids.length, 8),
  learned: roundUp(rows.length, 4),
  segments: roundUp(segments.length, 4),
});

/** Padding rows belong to no segment; padding targets lie outside the vocabulary and cost nothing. */
export function inputsOf(packed: Packed, shape: Shape, total: number): Record<string, TensorData> {
  const padded = (values: readonly number[], count: number, fill: number): Int32Array => {
    const array = new Int32Array(count).fill(fill);
    array.set(values);
    return array;
  };
  const segments = Int32Array.from({ length: shape.segments * 3 }, (_, i) => (i % 3 === 2 ? -1 : 0));
  packed.segments.forEach((segment, i) => {
    segments.set(segment, i * 3);
  });
  const weights = new Float32Array(shape.learned);
  packed.weights.forEach((weight, i) => {
    weights[i] = weight / total;
  });
  return {
    ids: padded(packed.ids, shape.tokens, 0),
    positions: padded(packed.positions, shape.tokens, 0),
    segments,
    rows: padded(packed.rows, shape.learned, 0),
    targets: padded(packed.targets, shape.learned, -1),
    weights,
  };
}

export const totalWeight = (batch: readonly Packed[]): number => batch.reduce((sum, { weights }) => sum + weights.reduce((a, b) => a + b, 0), 0);

type Kind = "loss" | "gradient" | "fused" | "logits";
const builders: Readonly<Record<Kind, (shape: Shape, options: StepOptions) => Program>> = {
  loss: lossProgram,
  gradient: gradientProgram,
  fused: fusedProgram,
  logits: logitsProgram,
};
/** Programs kept: each holds its plan; the arena is one for all. */
const keptPrograms = 64;

export class Stepper implements Disposable {
  readonly options: StepOptions;
  readonly #device: Device;
  readonly #parameters: Record<string, DeviceTensor>;
  readonly #own: DeviceTensor[] = [];
  readonly #programs = new Map<string, Executable>();
  #update: Executable | null = null;

  /** Borrows the device and the base's weights. */
  constructor(device: Device, weights: ReadonlyMap<string, DeviceTensor>, options: StepOptions, seed: number) {
    this.#device = device;
    this.options = options;
    this.#parameters = Object.fromEntries(weights);
    this.#add("lora.scale", device.tensor("lora.scale", { dtype: "f32", shape: [1] }, Float32Array.of(options.scale)));
    for (const [adapter, part] of this.parts) {
      const [name, spec] = [partName(adapter.weight, part), partSpec(adapter, options.rank, part)];
      this.#add(name, device.tensor(name, spec, initialValues(adapter, options.rank, part, seed)));
      for (const moment of ["m", "v"])
        this.#add(`${name}.${moment}`, device.tensor(`${name}.${moment}`, spec, new Float32Array(elementCount(spec.shape))));
    }
  }

  get parts(): readonly (readonly [Adapter, Part])[] {
    return this.options.adapters.flatMap((adapter) => [[adapter, "a"] as const, [adapter, "b"] as const]);
  }

  /** An adapter's values, or those of one of its moments. */
  read(name: string, state: StateName = "param"): Float32Array {
    return this.#parameters[state === "param" ? name : `${name}.${state}`]!.read() as Float32Array;
  }

  write(name: string, values: Float32Array, state: StateName = "param"): void {
    this.#parameters[state === "param" ? name : `${name}.${state}`]!.write(values);
  }

  /** A frozen weight's values, in the type it is held in. */
  weight(name: string): TensorData {
    return this.#parameters[name]!.read();
  }

  /** Gradients of Σ w·nll / Σ w over all micro-batches, each summed over them in order. */
  async gradients(batch: readonly Packed[], seed: number, signal?: AbortSignal): Promise<{ loss: number; gradients: Record<string, Float32Array> }> {
    const total = totalWeight(batch);
    let loss = 0;
    let gradients: Record<string, Float32Array> | null = null;
    for (const [i, packed] of batch.entries()) {
      const outputs = await this.#run("gradient", packed, total, seed + i, signal);
      loss += outputs["loss"]![0]!;
      const found = Object.fromEntries(Object.entries(outputs).filter(([name]) => name.startsWith("g."))) as Record<string, Float32Array>;
      if (gradients === null) gradients = found;
      else for (const [name, sum] of Object.entries(gradients)) addTo(sum, found[name]!);
    }
    return { loss, gradients: gradients ?? {} };
  }

  /** `step` counts from 1. Loss and norm are those before the update. */
  async step(batch: readonly Packed[], rates: Rates, step: number, seed: number, signal?: AbortSignal): Promise<StepResult> {
    const hyper = { rateA: Float32Array.of(rates.a, step), rateB: Float32Array.of(rates.b, step) };
    if (batch.length === 1) {
      const outputs = await this.#run("fused", batch[0]!, totalWeight(batch), seed, signal, hyper);
      return { loss: outputs["loss"]![0]!, gradientNorm: outputs["norm"]![1]! };
    }
    const { loss, gradients } = await this.gradients(batch, seed, signal);
    this.#update ??= this.#device.compile(updateProgram(this.options), { parameters: this.#parameters, sharedArena: true });
    const { norm } = await this.#update.run({ inputs: { ...hyper, ...gradients } });
    return { loss, gradientNorm: norm![1]! };
  }

  /** Σ w·nll and Σ w without dropout; `nll` of every learned row in the order of the packed batch. */
  async loss(packed: Packed, signal?: AbortSignal): Promise<{ sum: number; weight: number; nll: Float32Array }> {
    const outputs = await this.#run("loss", packed, 1, 0, signal);
    const nll = (outputs["nll"] as Float32Array).slice(0, packed.rows.length);
    return { sum: packed.weights.reduce((sum, weight, i) => sum + weight * nll[i]!, 0), weight: totalWeight([packed]), nll };
  }

  /** Logits of the learned rows, in the order of the packed batch; `bare`: of the base without its adapters. */
  async logits(packed: Packed, options: { readonly bare: boolean; readonly signal?: AbortSignal }): Promise<Float32Array> {
    const scale = this.#parameters["lora.scale"]!;
    if (options.bare) scale.write(Float32Array.of(0));
    try {
      const { logits } = await this.#run("logits", packed, 1, 0, options.signal);
      return (logits as Float32Array).slice(0, packed.rows.length * this.options.config.vocabulary);
    } finally {
      scale.write(Float32Array.of(this.options.scale));
    }
  }

  async #run(kind: Kind, packed: Packed, total: number, seed: number, signal?: AbortSignal, more: Record<string, TensorData> = {}) {
    const shape = shapeOf(packed);
    const program = this.#program(kind, shape);
    const training = kind === "gradient" || kind === "fused";
    const drop: Record<string, TensorData> = training && this.options.dropout > 0 ? { seed: Int32Array.of(seed | 0) } : {};
    const { targets, weights, ...rest } = inputsOf(packed, shape, total);
    const inputs = kind === "logits" ? rest : { ...rest, targets: targets!, weights: weights! };
    return await program.run({ inputs: { ...inputs, ...drop, ...more }, ...(signal === undefined ? {} : { signal }) });
  }

  #program(kind: Kind, shape: Shape): Executable {
    const key = `${kind} ${shape.tokens} ${shape.learned} ${shape.segments}`;
    const known = this.#programs.get(key);
    if (known !== undefined) {
      this.#programs.delete(key); // the latest used stands last
      this.#programs.set(key, known);
      return known;
    }
    const made = this.#device.compile(builders[kind](shape, this.options), { parameters: this.#parameters, sharedArena: true });
    this.#programs.set(key, made);
    const oldest = this.#programs.keys().next().value;
    if (this.#programs.size > keptPrograms && oldest !== undefined) {
      this.#programs.get(oldest)![Symbol.dispose]();
      this.#programs.delete(oldest);
    }
    return made;
  }

  #add(name: string, tensor: DeviceTensor): void {
    this.#parameters[name] = tensor;
    this.#own.push(tensor);
  }

  [Symbol.dispose](): void {
    for (const program of this.#programs.values()) program[Symbol.dispose]();
    this.#programs.clear();
    this.#update?.[Symbol.dispose]();
    for (const tensor of this.#own) tensor[Symbol.dispose]();
    this.#own.length = 0;
  }
}

function addTo(sum: Float32Array, more: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += more[i]!;
}
