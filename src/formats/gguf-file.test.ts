/** @file GGUF files as the official Python package writes them (scripts/golden/gguf_file.py), and hostile ones: a named error, and no memory for what a header merely claims. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { GgufFile } from "./gguf-file.ts";
import { loadGgufHeader } from "./gguf-header.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-gguf-"));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const golden = JSON.parse(fs.readFileSync(new URL("../../test/fixtures/gguf-golden.json", import.meta.url), "utf8")) as {
  readonly file: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, { readonly type: number; readonly shape: readonly number[]; readonly bytes: string }>>;
};
const whole = Buffer.from(golden.file, "base64");
let written = 0;
const put = (bytes: Uint8Array): string => {
  const file = path.join(folder, `${written++}.gguf`);
  fs.writeFileSync(file, bytes);
  return file;
};

test("metadata and every tensor are what the package wrote", async () => {
  await using file = await GgufFile.open(put(whole));
  for (const [key, value] of Object.entries(golden.metadata)) expect([key, file.metadata.get(key)]).toEqual([key, value]);
  expect([...file.tensors.keys()].toSorted()).toEqual(Object.keys(golden.tensors).toSorted());
  for (const [name, { type, shape, bytes }] of Object.entries(golden.tensors)) {
    const info = file.tensors.get(name)!;
    expect([name, info.type, info.shape]).toEqual([name, type, shape]);
    const all = Buffer.from(bytes, "base64");
    expect(Buffer.from(await file.read(name)).equals(all)).toBe(true);
    const rowBytes = all.length / shape[0]!;
    expect(Buffer.from(await file.read(name, { start: 1, count: 1 })).equals(all.subarray(rowBytes, 2 * rowBytes))).toBe(true);
  }
  expect(() => file.number("general.architecture")).toThrowError(/should be a number/);
  expect(() => file.text("nothing")).toThrowError(/is missing/);
  await expect(file.read("nothing")).rejects.toMatchObject({ code: "model_invalid" });
});

// A file by hand, for lies that no writer would write.
const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: bigint | number): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string): Buffer => Buffer.concat([u64(value.length), Buffer.from(value)]);
type Tensor = { readonly name: string; readonly sizes: readonly (number | bigint)[]; readonly type?: number; readonly offset: number | bigint };
const tensorBytes = ({ name, sizes, type = 0, offset }: Tensor): Buffer =>
  Buffer.concat([text(name), u32(sizes.length), ...sizes.map(u64), u32(type), u64(offset)]);
const header = (tensors: number | bigint, pairs: number | bigint, ...rest: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from("GGUF"), u32(3), u64(tensors), u64(pairs), ...rest]);
const withTensors = (tensors: readonly Tensor[], data = 256, pairs: readonly Buffer[] = []): Buffer => {
  const head = header(tensors.length, pairs.length, ...pairs, ...tensors.map(tensorBytes));
  return Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), Buffer.alloc(data)]);
};
const pair = (key: string, type: number, ...value: readonly Buffer[]): Buffer => Buffer.concat([text(key), u32(type), ...value]);
const huge = 1n << 62n;

const hostile: readonly (readonly [string, Buffer])[] = [
  ["empty", Buffer.alloc(0)],
  ["other magic", Buffer.concat([Buffer.from("GGML"), whole.subarray(4)])],
  ["a version of the other byte order", Buffer.concat([Buffer.from("GGUF"), Buffer.from([0, 0, 0, 3]), whole.subarray(8)])],
  ["more tensors than bytes", header(huge, 0)],
  ["more tensors than fit", header(1000, 0, Buffer.alloc(64))],
  ["more metadata than bytes", header(0, huge)],
  ["a key longer than the file", header(0, 1, u64(huge), Buffer.from("abc"))],
  ["a text of four gigabytes", header(0, 1, pair("k", 8, u64(1n << 32n)))],
  ["an array of 2^62 numbers", header(0, 1, pair("k", 9, u32(4), u64(huge)))],
  ["an array longer than what is left", header(0, 1, pair("k", 9, u32(4), u64(50)), Buffer.alloc(16))],
  ["an array of arrays", header(0, 1, pair("k", 9, u32(9), u64(1), u32(4), u64(0)))],
  ["a value of unknown type", header(0, 1, pair("k", 99, u64(0)))],
  ["a tensor of 4 billion dimensions", header(1, 0, text("w"), u32(0xffffffff), Buffer.alloc(64))],
  ["a tensor larger than the file", withTensors([{ name: "w", sizes: [1 << 20, 1 << 20], offset: 0 }])],
  ["sizes whose product overflows 64 bits", withTensors([{ name: "w", sizes: [huge, 4], offset: 0 }])],
  ["sizes that multiply to 0 through a wrap", withTensors([{ name: "w", sizes: [1n << 32n, 1n << 32n], offset: 0 }])],
  ["an offset past the end", withTensors([{ name: "w", sizes: [8], offset: 1024 }])],
  ["an offset of 2^62", withTensors([{ name: "w", sizes: [8], offset: huge }])],
  ["an offset that is not aligned", withTensors([{ name: "w", sizes: [8], offset: 4 }])],
  [
    "tensors that overlap",
    withTensors([
      { name: "a", sizes: [32], offset: 0 },
      { name: "b", sizes: [32], offset: 64 },
    ]),
  ],
  [
    "two tensors of one name",
    withTensors([
      { name: "w", sizes: [8], offset: 0 },
      { name: "w", sizes: [8], offset: 32 },
    ]),
  ],
  ["rows that fill no blocks", withTensors([{ name: "w", sizes: [33], type: 8, offset: 0 }])],
  ["a block type's rows cut across blocks", withTensors([{ name: "w", sizes: [16, 2], type: 8, offset: 0 }])],
  ["an alignment of zero", withTensors([{ name: "w", sizes: [8], offset: 0 }], 256, [pair("general.alignment", 4, u32(0))])],
  ["an alignment that is text", withTensors([{ name: "w", sizes: [8], offset: 0 }], 256, [pair("general.alignment", 8, text("32"))])],
  ["an alignment of 12", withTensors([{ name: "w", sizes: [8], offset: 0 }], 256, [pair("general.alignment", 4, u32(12))])],
];

test.each(hostile)("refused by name: %s", async (_what, bytes) => {
  const file = put(bytes);
  const before = process.memoryUsage().rss;
  await expect(GgufFile.open(file)).rejects.toMatchObject({ code: "model_invalid" });
  await expect(GgufFile.open(file)).rejects.toThrowError(/expected a GGUF file/);
  expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
});

test("a file cut anywhere is refused, whole or header only", async () => {
  for (let length = 0; length < whole.length - 32; length += Math.max(1, Math.floor(whole.length / 97))) {
    const file = put(whole.subarray(0, length));
    await expect(GgufFile.open(file)).rejects.toMatchObject({ code: "model_invalid" });
    await expect(loadGgufHeader(file)).rejects.toMatchObject({ code: "model_invalid" });
  }
});

test("flipped bytes in the header end in an error or in a file that can be read, never otherwise", async () => {
  let refused = 0;
  for (let at = 0; at < 600; at += 3) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1 << (at % 8);
    try {
      await using file = await GgufFile.open(put(bytes));
      for (const name of file.tensors.keys()) await file.read(name);
    } catch (error) {
      expect(error).toMatchObject({ code: "model_invalid" });
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(20);
});
