import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { loadGgufHeader } from "./gguf-header.ts";
import { widenQ5 } from "./gguf-widen.ts";
import { writeGguf } from "./gguf-writer.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-widen-"));

function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1103515245 + 12345) % 2 ** 31) >> 16;
}

/** ggml's dequantize_row_q5_0, without the scale. */
function q5Values(blocks: Buffer): number[] {
  const values: number[] = [];
  for (let at = 0; at < blocks.length; at += 22) {
    const high = blocks.readUInt32LE(at + 2);
    for (let j = 0; j < 32; j++) {
      const byte = blocks[at + 6 + (j % 16)] ?? 0;
      values.push(((j < 16 ? byte & 15 : byte >> 4) | (((high >>> j) & 1) << 4)) - 16);
    }
  }
  return values;
}

test("every weight and scale keeps its value; other tensors their bytes", async () => {
  const next = random(7);
  const q5 = Buffer.from(Array.from({ length: 22 * 8 }, () => next() & 255));
  const other = Buffer.from(Float32Array.of(1, 2, 3).buffer);
  const [source, target] = [path.join(folder, "a.gguf"), path.join(folder, "b.gguf")];
  await writeGguf(source, { "general.architecture": { type: "string", value: "x" }, list: { type: "strings", value: ["一", "two"] } }, [
    { name: "w", shape: [64, 4], type: "q5_0", data: q5 },
    { name: "n", shape: [3], type: "f32", data: other },
  ]);
  expect(await widenQ5(source, target)).toBe(true);
  const { tensorCount, metadata } = await loadGgufHeader(target);
  expect([tensorCount, metadata.get("general.architecture")]).toEqual([2, "x"]);
  const bytes = fs.readFileSync(target);
  const start = bytes.length - 34 * 8 - 16 - 32; // 272 bytes padded to 288, then 12 padded to 32
  const q8 = bytes.subarray(start, start + 34 * 8);
  const values: number[] = [];
  for (let block = 0; block < 8; block++) {
    expect(q8.subarray(block * 34, block * 34 + 2)).toEqual(q5.subarray(block * 22, block * 22 + 2));
    for (let j = 0; j < 32; j++) values.push(q8.readInt8(block * 34 + 2 + j));
  }
  expect(values).toEqual(q5Values(q5));
  expect(bytes.subarray(start + 288, start + 300)).toEqual(other);
});

test("a file without such tensors is left alone; one that is cut is refused", async () => {
  const plain = path.join(folder, "plain.gguf");
  await writeGguf(plain, {}, [{ name: "n", shape: [2], type: "f32", data: Buffer.alloc(8) }]);
  expect(await widenQ5(plain, path.join(folder, "none.gguf"))).toBe(false);
  expect(fs.existsSync(path.join(folder, "none.gguf"))).toBe(false);
  fs.writeFileSync(plain, fs.readFileSync(plain).subarray(0, 30));
  await expect(widenQ5(plain, path.join(folder, "none.gguf"))).rejects.toThrowError(/header ends early/);
});
