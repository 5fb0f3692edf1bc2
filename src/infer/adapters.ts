/** @file Low-rank adapters beside a base: read from GGUF adapter files, checked against the base, laid side by side on the device so that rows of one batch may use different ones. */
import { StarboxError } from "#base";
import { type Device, type DeviceTensor, type DType, dtypes, loadValues, type TensorSpec } from "#compute";
import { GgufFile } from "#formats";
import { viewOf } from "./load-model.ts";

/** A [rank, in] and B [out, rank] of one weight. */
type Pair = { readonly a: Float32Array; readonly b: Float32Array; readonly rank: number };
export type Adapter = { readonly scale: number; readonly rank: number; readonly pairs: ReadonlyMap<string, Pair> };

export function invalidAdapter(file: string, what: string): StarboxError {
  return new StarboxError("model_invalid", `The adapter ${file} cannot be used: ${what}.`, {
    hint: "Export it again for this base: starbox models export ID --format gguf.",
    zh: { message: `适配器 ${file} 不可用：${what}。`, hint: "请针对该基础模型重新导出：starbox models export ID --format gguf。" },
  });
}

const byId = new Map(Object.entries(dtypes).flatMap(([name, { id, kind }]) => (kind === "packed" ? [] : [[id, name as DType] as const])));

/** What is in the file and not applied is refused by name, never dropped. */
export async function loadAdapter(
  file: string,
  base: { readonly architecture: string; readonly specs: ReadonlyMap<string, TensorSpec> },
): Promise<Adapter> {
  await using gguf = await GgufFile.open(file);
  const fail = (what: string): StarboxError => invalidAdapter(file, what);
  if (gguf.text("general.type", "model") !== "adapter" || gguf.text("adapter.type", "") !== "lora") throw fail("it is no LoRA adapter");
  const architecture = gguf.text("general.architecture");
  if (architecture !== base.architecture) throw fail(`it belongs to "${architecture}", the base is "${base.architecture}"`);
  if (gguf.metadata.has("adapter.alora.invocation_tokens")) throw fail("it is an activated LoRA (aLoRA), which is not applied");
  const alpha = gguf.number("adapter.lora.alpha", 0);
  const values = async (name: string): Promise<{ readonly data: Float32Array; readonly shape: readonly number[] }> => {
    const info = gguf.tensors.get(name);
    const dtype = info === undefined ? undefined : byId.get(info.type);
    if (info === undefined || dtype === undefined || info.shape.length !== 2) throw fail(`"${name}" is missing or no matrix of a known type`);
    return { data: Float32Array.from(loadValues({ dtype, shape: info.shape }, viewOf(dtype, await gguf.read(name)))), shape: info.shape };
  };
  const pairs = new Map<string, Pair>();
  let rank = 0;
  for (const name of gguf.tensors.keys()) {
    const weight = /^(.*)\.lora_([ab])$/.exec(name);
    if (weight === null) throw fail(`its tensor "${name}" is no part of a LoRA`);
    if (weight[2] === "b") continue;
    const target = weight[1]!;
    const spec = base.specs.get(target);
    if (spec === undefined || !/^blk\.\d+\.(attn_(q|k|v|output)|ffn_(gate|up|down))\.weight$/.test(target))
      throw fail(`it adapts "${target}", which ${spec === undefined ? "the base does not have" : "is not applied"}`);
    const [a, b] = [await values(name), await values(`${target}.lora_b`)];
    const [outputs, inputs] = spec.shape as [number, number];
    if (a.shape[1] !== inputs || b.shape[0] !== outputs || a.shape[0] !== b.shape[1])
      throw fail(`"${target}": got [${a.shape}] and [${b.shape}] for a base weight [${spec.shape}]`);
    if (rank !== 0 && a.shape[0] !== rank) throw fail("its weights differ in rank, which one alpha cannot scale");
    rank = a.shape[0]!;
    pairs.set(target, { a: a.data, b: b.data, rank });
  }
  if (gguf.tensors.size !== 2 * pairs.size) throw fail("a B without its A");
  if (pairs.size === 0) throw fail("it holds no weights");
  return { scale: alpha === 0 ? 1 : alpha / rank, rank, pairs };
}

/** Adapters side by side: a [G, R, in] and b [G, out, R] a weight, zeros where one is of lower rank or leaves the weight alone. */
export class AdapterSet implements Disposable {
  readonly scales: DeviceTensor;
  readonly parameters: Readonly<Record<string, DeviceTensor>>;
  readonly #tensors = new Map<string, { readonly a: DeviceTensor; readonly b: DeviceTensor }>();

  constructor(device: Device, adapters: readonly Adapter[]) {
    let places = 1;
    while (places < adapters.length) places *= 2;
    const rank = Math.max(...adapters.map((adapter) => adapter.rank));
    const parameters: Record<string, DeviceTensor> = {};
    const scales = new Float32Array(places);
    adapters.forEach(({ scale }, g) => {
      scales[g] = scale;
    });
    this.scales = device.tensor("lora.scales", { dtype: "f32", shape: [places] }, scales);
    parameters["lora.scales"] = this.scales;
    for (const weight of new Set(adapters.flatMap(({ pairs }) => [...pairs.keys()]))) {
      const known = adapters.map(({ pairs }) => pairs.get(weight));
      const some = known.find((pair) => pair !== undefined)!;
      const [inputs, outputs] = [some.a.length / some.rank, some.b.length / some.rank];
      const a = new Float32Array(places * rank * inputs);
      const b = new Float32Array(places * outputs * rank);
      known.forEach((pair, g) => {
        if (pair === undefined) return;
        a.set(pair.a, g * rank * inputs);
        for (let row = 0; row < outputs; row++) b.set(pair.b.subarray(row * pair.rank, (row + 1) * pair.rank), (g * outputs + row) * rank);
      });
      const made = {
        a: device.tensor(`${weight}.lora_a`, { dtype: "f32", shape: [places, rank, inputs] }, a),
        b: device.tensor(`${weight}.lora_b`, { dtype: "f32", shape: [places, outputs, rank] }, b),
      };
      this.#tensors.set(weight, made);
      parameters[`${weight}.lora_a`] = made.a;
      parameters[`${weight}.lora_b`] = made.b;
    }
    this.parameters = parameters;
  }

  /** Undefined where no adapter touches the weight. */
  tensors(weight: string): { readonly a: DeviceTensor; readonly b: DeviceTensor } | undefined {
    return this.#tensors.get(weight);
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.parameters)) tensor[Symbol.dispose]();
  }
}
