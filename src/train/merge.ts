/** @file The base as one file again: widened to f32 (exactly the trainer's weights, for comparison) or merged with the adapter, as f16, bf16 or q8_0. */
import { StarboxError } from "#base";
import { type Device, dtypes, Graph, loadValues, storeValues, type TensorData, type TensorSpec } from "#compute";
import { rewriteGguf } from "#formats";
import { type BaseModel, heldSpec } from "./base-model.ts";
import { partName } from "./lora.ts";
import type { Stepper } from "./stepper.ts";

const bytesOf = (data: TensorData): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** A weight in another type, on the device: by way of the type it is trained in. */
async function converted(device: Device, spec: TensorSpec, held: TensorSpec, data: TensorData, to: "f32" | "f16" | "bf16"): Promise<TensorData> {
  const graph = new Graph();
  let value = graph.parameter("w", spec.dtype, spec.shape);
  for (const dtype of [held.dtype, to] as const) {
    if (value.spec.dtype === dtype) continue;
    if (dtypes[dtype].kind !== "float") continue; // kept quantised while training: straight to the wanted type
    value = graph.apply(dtypes[value.spec.dtype].kind === "quantized" ? "dequantize" : "cast", [value], {}, { as: dtype });
  }
  graph.output("y", graph.apply("copy", [value]));
  using tensor = device.tensor("w", spec, data);
  using program = device.compile(graph.build(), { parameters: { w: tensor } });
  return (await program.run())["y"]!;
}

/** The trainer's own weights as an f32 file: what an engine must answer the same on. */
export async function writeSameWeights(file: string, baseFile: string, device: Device, model: BaseModel, baseType: "bf16" | "file"): Promise<void> {
  const changes = (name: string): boolean => (model.tensors.get(name)?.shape.length ?? 1) > 1;
  await rewriteGguf(
    baseFile,
    file,
    (name) => (changes(name) ? "f32" : null),
    async (name) => {
      const spec = model.tensors.get(name)!;
      return bytesOf(await converted(device, spec, heldSpec(spec, baseType), await model.read(name), "f32"));
    },
  );
}

export type MergedType = "f16" | "bf16" | "q8_0";

/** W + scale · B A. Lower types than q8_0 would round the adapter away. */
export async function writeMerged(
  file: string,
  baseFile: string,
  device: Device,
  model: BaseModel,
  stepper: Stepper,
  type: MergedType,
): Promise<void> {
  const { rank, scale, adapters } = stepper.options;
  const found = new Map(adapters.map((adapter) => [adapter.weight, adapter]));
  await rewriteGguf(
    baseFile,
    file,
    (name) => (found.has(name) ? type : null),
    async (name) => {
      const { inputs, outputs } = found.get(name)!;
      const spec = model.tensors.get(name)!;
      const whole = await converted(device, spec, heldSpec(spec, "bf16"), await model.read(name), "f32");
      const graph = new Graph();
      const w = graph.parameter("w", "f32", [outputs, inputs]);
      const [a, b] = [graph.input("a", "f32", [rank, inputs]), graph.input("b", "f32", [outputs, rank])];
      const product = graph.apply("linear", [b, graph.apply("transpose", [a]), null, null]); // [out, in]
      const merged = graph.apply("add", [w, graph.apply("scale", [product], { factor: scale })]);
      graph.output("y", type === "q8_0" ? merged : graph.apply("cast", [merged], {}, { as: type }));
      using tensor = device.tensor("w", { dtype: "f32", shape: [outputs, inputs] }, whole);
      using program = device.compile(graph.build(), { parameters: { w: tensor } });
      const { y } = await program.run({ inputs: { a: stepper.read(partName(name, "a")), b: stepper.read(partName(name, "b")) } });
      if (type !== "q8_0") return bytesOf(y!);
      if (inputs % 32 !== 0) throw new StarboxError("unsupported", `"${name}" has rows of ${inputs}, which fill no blocks of q8_0.`);
      const f32: TensorSpec = { dtype: "f32", shape: [outputs, inputs] };
      return bytesOf(storeValues({ dtype: "q8_0", shape: f32.shape }, loadValues(f32, y!)));
    },
  );
}
