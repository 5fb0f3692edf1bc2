/** @file How exact a device's result must be: by operator, by operands' types, and by what the device says it rounds inside. */
import type { Device } from "../backends/backend.ts";
import type { Node, Program } from "../graph/program.ts";
import type { Sample } from "../op.ts";
import type { OpName } from "../ops/index.ts";
import type { Precision } from "./compare.ts";
import type { SampleProgram } from "./sample-program.ts";

/** Moves and choices have no rounding of their own. */
const exactOps: ReadonlySet<OpName> = new Set<OpName>([
  "neg",
  "copy",
  "cast",
  "fill",
  "reshape",
  "relu",
  "reluBackward",
  "sliceRows",
  "placeRows",
  "concatRows",
  "sliceColumns",
  "placeColumns",
  "concatColumns",
  "transpose",
  "swapAxes",
  "repeatRow",
  "maxColumns",
  "topK",
  "argmax",
  "quantize",
  "dequantize",
  "cacheWrite",
]);

/** What the operands' types and the device's own word allow. */
export function precisionOf(device: Device, op: OpName, sample: Sample, { program }: SampleProgram): Precision {
  if (exactOps.has(op)) return "exact";
  const rounding = program.nodes.map((node) => device.rounding?.(program, node) ?? null);
  if (rounding.includes("q8_0")) return "int8";
  if (rounding.includes("bf16") || rounding.includes("f16")) return "bf16";
  return sample.as === "bf16" || sample.inputs.some((input) => input?.dtype === "bf16" || input?.dtype === "f16") ? "bf16" : "f32";
}

/** The same for one node of a larger program. */
export function nodePrecision(device: Device, program: Program, node: Node): Precision {
  if (exactOps.has(node.op)) return "exact";
  const rounding = device.rounding?.(program, node) ?? null;
  if (rounding === "q8_0") return "int8";
  const wide = (id: number | null): boolean => id !== null && ["bf16", "f16"].includes(program.values.get(id)!.spec.dtype);
  return rounding === "bf16" || rounding === "f16" || node.inputs.some(wide) ? "bf16" : "f32";
}
