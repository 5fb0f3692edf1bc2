import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { StarboxError } from "#base";
import { convertE5s1ToGguf, parseE5s1 } from "./e5s1.ts";
import { loadGgufHeader } from "./gguf-header.ts";

/** A whole E5S1 file of the smallest shape: one layer of 32, four pieces, five words. */
function tinyE5s1(): Buffer {
  const width = 32;
  const parts: Buffer[] = [Buffer.from("E5S1")];
  const i32 = (...values: number[]): void => void parts.push(Buffer.from(Int32Array.from(values).buffer));
  i32(1, width, 1, 1, width, 5, 8, 2);
  parts.push(Buffer.from(Float32Array.of(1e-12).buffer));
  i32(32, 4, 0, 2, 1, 3);
  const pieces = ["<s>", "<pad>", "</s>", "▁星"].map((piece) => Buffer.from(piece));
  const blob = Buffer.concat(pieces);
  parts.push(Buffer.from(BigUint64Array.of(BigInt(blob.length)).buffer));
  let at = 0;
  i32(0, ...pieces.map((piece) => (at += piece.length)));
  parts.push(Buffer.from(Float32Array.of(0, 0, 0, -1).buffer), blob);
  i32(1, 9); // one entry of the normalisation map: a code point that becomes one other
  parts.push(Buffer.from([0x00, 0x30, 0, 0, 1, 0x20, 0, 0, 0]));
  const matrix = (rows: number): [number, Buffer] => [1, Buffer.alloc(rows * 18, 1)];
  const vector = (size: number): [number, Buffer] => [0, Buffer.from(new Float32Array(size).fill(0.5).buffer)];
  const layer = Object.fromEntries(
    ["q", "k", "v", "ao", "fi", "fo"].flatMap((name) => [
      [`l0.${name}.w`, matrix(width)],
      [`l0.${name}.b`, vector(width)],
    ]),
  );
  const tensors: Record<string, [number, Buffer]> = {
    "emb.word": matrix(5),
    "emb.pos": vector(8 * width),
    "emb.type": vector(2 * width),
    "emb.ln.w": vector(width),
    "emb.ln.b": vector(width),
    ...layer,
    "l0.aln.w": vector(width),
    "l0.aln.b": vector(width),
    "l0.oln.w": vector(width),
    "l0.oln.b": vector(width),
  };
  const names = Object.keys(tensors);
  i32(names.length);
  const before = parts.reduce((sum, part) => sum + part.length, 0) + names.reduce((sum, name) => sum + 2 + name.length + 1 + 4 + 8 + 8, 0);
  let offset = before;
  for (const name of names) {
    const [type, data] = tensors[name] ?? [0, Buffer.alloc(0)];
    const row = Buffer.alloc(2 + name.length + 21);
    row.writeUInt16LE(name.length);
    row.write(name, 2);
    row.writeUInt8(type, 2 + name.length);
    row.writeUInt32LE(0, 3 + name.length);
    row.writeBigUInt64LE(BigInt(offset), 7 + name.length);
    row.writeBigUInt64LE(BigInt(data.length), 15 + name.length);
    parts.push(row);
    offset += data.length;
  }
  return Buffer.concat([...parts, ...names.map((name) => tensors[name]?.[1] ?? Buffer.alloc(0))]);
}

test("the whole file is read: shape, pieces, tensors", () => {
  const { shape, tokenizer, tensors } = parseE5s1(tinyE5s1());
  expect(shape).toMatchObject({ width: 32, layers: 1, words: 5, positions: 8 });
  expect(tokenizer).toMatchObject({ pieces: ["<s>", "<pad>", "</s>", "▁星"], bos: 0, eos: 2, pad: 1, unk: 3 });
  expect(tensors.size).toBe(21);
});

test("the GGUF made of it is well formed, and the same bytes every time", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-e5s1-"));
  const source = path.join(folder, "in.e5s1");
  fs.writeFileSync(source, tinyE5s1());
  const hashes = [];
  for (const name of ["a.gguf", "b.gguf"]) {
    await convertE5s1ToGguf(source, path.join(folder, name), { name: "tiny" });
    hashes.push(
      createHash("sha256")
        .update(fs.readFileSync(path.join(folder, name)))
        .digest("hex"),
    );
  }
  expect(hashes[0]).toBe(hashes[1]);
  const { tensorCount, metadata } = await loadGgufHeader(path.join(folder, "a.gguf"));
  expect(tensorCount).toBe(21);
  expect(metadata.get("general.architecture")).toBe("bert");
  expect(metadata.get("bert.pooling_type")).toBe(1);
  fs.rmSync(folder, { recursive: true });
});

test("a file cut anywhere is refused by name, never read beyond its end", () => {
  const whole = tinyE5s1();
  for (let size = 0; size < whole.length; size += 37) {
    let error: unknown = null;
    try {
      parseE5s1(whole.subarray(0, size));
    } catch (caught) {
      error = caught;
    }
    expect(StarboxError.is(error, "model_invalid"), `cut at ${size}`).toBe(true);
  }
});

test("absurd counts are refused", () => {
  const bytes = tinyE5s1();
  bytes.writeInt32LE(2_000_000_000, 44); // pieces
  expect(() => parseE5s1(bytes)).toThrowError(/pieces|ends at byte/);
});
