/** @file Copies a caller's values into a device's memory, after checking that they are what the tensor holds. */
import { StarboxError } from "#base";
import { formatSpec, specBytes, type TensorSpec } from "../dtype.ts";
import { type TensorData, typedView } from "./backend.ts";

/** Throws tensor_invalid when kind or number of values differ from the specification. */
export function writeChecked(name: string, spec: TensorSpec, data: TensorData, target: ArrayBuffer, offset = 0): void {
  const bytes = specBytes(spec);
  const expected = typedView(spec.dtype, new ArrayBuffer(0)).constructor;
  if (data.constructor !== expected || data.byteLength !== bytes) {
    throw new StarboxError(
      "tensor_invalid",
      `"${name}": expected ${bytes} bytes in a ${expected.name} for ${formatSpec(spec)}, got ${data.byteLength} in a ${data.constructor.name}.`,
    );
  }
  new Uint8Array(target, offset, bytes).set(new Uint8Array(data.buffer, data.byteOffset, bytes));
}
