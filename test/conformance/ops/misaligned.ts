/** @file Data that begins anywhere in its buffer, as slices of files and messages do: every operator must give the same bits as from a buffer of its own. */
import type { Device, TensorData } from "../../../src/compute/backends/backend.ts";
import { opNames, ops } from "../../../src/compute/ops/index.ts";
import { runSample, whyNot } from "../../../src/compute/verify/run-sample.ts";
import { forwardProgram } from "../../../src/compute/verify/sample-program.ts";

/** The same values one element past the beginning of a larger buffer. */
function shifted<T extends TensorData>(data: T): T {
  const size = data.BYTES_PER_ELEMENT;
  const buffer = new ArrayBuffer(data.byteLength + 2 * size);
  new Uint8Array(buffer).fill(0xff);
  const moved = new (data.constructor as new (buffer: ArrayBuffer, offset: number, length: number) => T)(buffer, size, data.length);
  moved.set(data);
  return moved;
}

const bytes = (results: Readonly<Record<string, TensorData>>): string =>
  Object.values(results)
    .map((data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"))
    .join();

/** Samples whose results differ, and how many were compared; at most so many an operator. */
export async function compareMisaligned(
  device: Device,
  most = Number.POSITIVE_INFINITY,
): Promise<{ readonly differ: readonly string[]; readonly compared: number }> {
  const differ: string[] = [];
  let compared = 0;
  for (const op of opNames)
    for (const sample of ops[op].samples.slice(0, most)) {
      const prepared = forwardProgram(op, sample);
      if (whyNot(device, prepared) !== null) continue;
      const data = Object.fromEntries(Object.entries(prepared.data).map(([name, values]) => [name, shifted(values)]));
      if (bytes(await runSample(device, prepared)) !== bytes(await runSample(device, { ...prepared, data }))) differ.push(`${op}, ${sample.label}`);
      compared++;
    }
  return { differ, compared };
}
