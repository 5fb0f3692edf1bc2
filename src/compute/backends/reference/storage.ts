/** @file Between raw tensor data and float64 values. Storing rounds (or quantises) to the element type; loading is exact. */
import { StarboxError } from "#base";
import { dtypes, elementCount, formatSpec, specBytes, type TensorSpec } from "../../dtype.ts";
import { type TensorData, typedView } from "../backend.ts";
import { dequantizeBlocks } from "./dequantize-blocks.ts";
import { fromBf16, fromHalf, toBf16, toHalf } from "./halves.ts";
import { quantizeBlocks } from "./quantize-blocks.ts";

export function loadValues({ dtype }: TensorSpec, data: TensorData): Float64Array {
  if (dtypes[dtype].kind === "quantized") return dequantizeBlocks(dtype, data as Uint8Array);
  if (dtype === "bf16") return Float64Array.from(data, fromBf16);
  if (dtype === "f16") return Float64Array.from(data, fromHalf);
  return Float64Array.from(data);
}

export function storeValues(spec: TensorSpec, values: Float64Array): TensorData {
  if (values.length !== elementCount(spec.shape))
    throw new StarboxError("internal", `${formatSpec(spec)}: expected ${elementCount(spec.shape)} values, got ${values.length}.`);
  const { dtype } = spec;
  if (dtypes[dtype].kind === "quantized") return quantizeBlocks(dtype, values);
  if (dtype === "bf16") return Uint16Array.from(values, toBf16);
  if (dtype === "f16") return Uint16Array.from(values, toHalf);
  return dtype === "i32" ? Int32Array.from(values) : Float32Array.from(values);
}

/** Throws tensor_invalid unless the data is of this spec's kind and size. */
export function checkData(name: string, spec: TensorSpec, data: TensorData | undefined): TensorData {
  if (data === undefined) throw new StarboxError("tensor_invalid", `The input "${name}" is missing.`);
  const expected = typedView(spec.dtype, new ArrayBuffer(0)).constructor;
  if (data.constructor !== expected || data.byteLength !== specBytes(spec))
    throw new StarboxError(
      "tensor_invalid",
      `"${name}": expected ${specBytes(spec)} bytes in a ${expected.name} for ${formatSpec(spec)}, got ${data.byteLength} in a ${data.constructor.name}.`,
    );
  return data;
}
