/** @file Our blocks against ggml's own functions, byte for byte, and 16-bit floats against a second way to round. */
import fs from "node:fs";
import path from "node:path";
import koffi from "koffi";
import { expect, test } from "vitest";
import { dtypes, quantizedTypes } from "../../dtype.ts";
import { ggmlFolders } from "../ggml/native.ts";
import { dequantizeBlocks } from "./dequantize-blocks.ts";
import { fromBf16, fromHalf, toBf16, toHalf } from "./halves.ts";
import { quantizeBlocks } from "./quantize-blocks.ts";
import { createRandom } from "./sample-values.ts";

const folder = ggmlFolders()[0]!;
const base = koffi.load(path.join(folder, fs.readdirSync(folder).find((file) => /ggml-base\./.test(file))!));
const ggmlName = (type: string): string => type.replace("_k", "_K");

/** Rows of different character: ordinary, tiny, huge, one sign, mostly zero, constant, all zero. */
function rows(): Float32Array {
  const random = createRandom(7);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const kinds = [
    normal,
    () => normal() * 1e-6,
    () => normal() * 1e4,
    () => Math.abs(normal()),
    () => -1 - random(),
    () => (random() < 0.95 ? 0 : normal()),
    () => 0.75,
    () => 0,
  ];
  return Float32Array.from([...kinds, normal, normal, normal, normal].flatMap((kind) => Array.from({ length: 256 }, kind)));
}

test.each(quantizedTypes)("%s: quantised as ggml's reference does, byte for byte", (type) => {
  const x = rows();
  const { block, blockBytes } = dtypes[type];
  const theirs = new Uint8Array((x.length / block) * blockBytes);
  base.func(`void quantize_row_${ggmlName(type)}_ref(const float *x, _Out_ uint8_t *y, int64_t k)`)(x, theirs, x.length);
  const ours = quantizeBlocks(type, Float64Array.from(x));
  for (let i = 0; i < ours.length; i += blockBytes)
    expect([i / blockBytes, ...ours.subarray(i, i + blockBytes)]).toEqual([i / blockBytes, ...theirs.subarray(i, i + blockBytes)]);
});

test.each(quantizedTypes)("%s: dequantised as ggml does, bit for bit", (type) => {
  const random = createRandom(9);
  const { block, blockBytes } = dtypes[type];
  const bytes = Uint8Array.from({ length: 512 * blockBytes }, () => Math.floor(random() * 256)); // scales of any kind, infinities and NaN among them
  const theirs = new Float32Array(512 * block);
  base.func(`void dequantize_row_${ggmlName(type)}(const uint8_t *x, _Out_ float *y, int64_t k)`)(bytes, theirs, theirs.length);
  expect(Float32Array.from(dequantizeBlocks(type, bytes))).toEqual(theirs);
});

test("16-bit floats round to the nearest, ties to even, over their whole range", () => {
  for (let bits = 0; bits < 0x7c00; bits++) {
    expect([toHalf(fromHalf(bits)), toHalf(-fromHalf(bits))]).toEqual([bits, bits + 0x8000]);
    if (bits < 0x7bff) expect(toHalf((fromHalf(bits) + fromHalf(bits + 1)) / 2)).toBe(bits + (bits & 1));
  }
  for (let bits = 0; bits < 0x7f80; bits++) {
    expect(toBf16(fromBf16(bits))).toBe(bits);
    if (bits < 0x7f7f) expect(toBf16((fromBf16(bits) + fromBf16(bits + 1)) / 2)).toBe(bits + (bits & 1));
  }
  expect([toHalf(65520), toHalf(65519), toHalf(Number.NaN), toBf16(3.4e38), toBf16(Number.NaN)]).toEqual([0x7c00, 0x7bff, 0x7e00, 0x7f80, 0x7fc0]);
});
