/** @file A unit vector in one byte a dimension, with its scale: what the index scans. The exact vector stays in `vectors`. */

/** f32 scale, then one signed byte a dimension. */
export function encodeVector(vector: Float32Array): Uint8Array {
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  const scale = largest === 0 ? 1 : largest / 127;
  const code = new Uint8Array(4 + vector.length);
  new DataView(code.buffer).setFloat32(0, scale, true);
  const bytes = new Int8Array(code.buffer, 4);
  for (let i = 0; i < vector.length; i++) bytes[i] = Math.round((vector[i] as number) / scale);
  return code;
}
