import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { SafetensorsFolder } from "./safetensors-folder.ts";

const root = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-safetensors-"));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
let folders = 0;
function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const made = path.join(root, String(folders++));
  fs.mkdirSync(made);
  for (const [name, content] of Object.entries({ "config.json": "{}", ...files })) fs.writeFileSync(path.join(made, name), content);
  return made;
}
const tensors = (header: unknown, data: number, claimed?: number): Uint8Array => {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = Buffer.alloc(8 + text.length + data, 7);
  bytes.writeBigUInt64LE(BigInt(claimed ?? text.length));
  text.copy(bytes, 8);
  return bytes;
};
const open = async (files: Readonly<Record<string, string | Uint8Array>>): Promise<string[]> => {
  await using opened = await SafetensorsFolder.open(folder(files));
  return [...opened.tensors.keys()];
};
const one = (entry: unknown, data = 8, claimed?: number) => open({ "model.safetensors": tensors({ a: entry }, data, claimed) });
const sound = { dtype: "F32", shape: [2], data_offsets: [0, 8] };

test("tensors of a file and of shards, their bytes on demand", async () => {
  const two = { __metadata__: { format: "pt" }, b: { dtype: "BF16", shape: [1, 2], data_offsets: [8, 12] }, a: sound };
  await using whole = await SafetensorsFolder.open(folder({ "model.safetensors": tensors(two, 12) }));
  expect([...whole.tensors.values()].map(({ name, element, shape }) => [name, element, shape])).toEqual([
    ["b", "BF16", [1, 2]],
    ["a", "F32", [2]],
  ]);
  expect((await whole.read("b")).length).toBe(4);
  const index = JSON.stringify({ weight_map: { a: "x-1.safetensors", c: "x-2.safetensors" } });
  const shards = { "model.safetensors.index.json": index, "x-1.safetensors": tensors({ a: sound }, 8), "x-2.safetensors": tensors({ c: sound }, 8) };
  expect(await open(shards)).toEqual(["a", "c"]);
});

test("what a hostile file claims is refused by name", async () => {
  await expect(open({})).rejects.toThrowError(/model\.safetensors/);
  await expect(open({ "model.safetensors": "abc" })).rejects.toThrowError(/shorter/);
  await expect(one(sound, 8, 2 ** 40)).rejects.toThrowError(/claims a header/);
  await expect(open({ "model.safetensors": tensors("{", 0) })).rejects.toThrowError(/no JSON/);
  await expect(open({ "model.safetensors": tensors("[]", 0) })).rejects.toThrowError(/no object/);
  await expect(one({ ...sound, dtype: "toString" })).rejects.toThrowError(/of type/);
  await expect(one({ ...sound, shape: [-2] })).rejects.toThrowError(/the shape/);
  await expect(one({ ...sound, shape: [2 ** 40, 2 ** 40] })).rejects.toThrowError(/needs/);
  await expect(one({ ...sound, data_offsets: [0, 9] })).rejects.toThrowError(/takes 9 bytes/);
  await expect(one({ ...sound, data_offsets: [8, 16] }, 16)).rejects.toThrowError(/hole/);
  await expect(one(sound, 4)).rejects.toThrowError(/beyond its end/);
  await expect(one(sound, 9)).rejects.toThrowError(/tensors end at/);
  await expect(open({ "model.safetensors": tensors({ a: sound, b: { ...sound, data_offsets: [4, 12] } }, 12) })).rejects.toThrowError(/overlaps/);
});

test("an index cannot lead outside the folder, and must agree with its shards", async () => {
  const index = (map: unknown, more: Record<string, Uint8Array> = {}) =>
    open({ "model.safetensors.index.json": JSON.stringify({ weight_map: map }), "x.safetensors": tensors({ a: sound }, 8), ...more });
  for (const name of ["../x.safetensors", "/etc/x.safetensors", ".x.safetensors", "x.bin", 7])
    await expect(index({ a: name })).rejects.toThrowError(/names the file/);
  await expect(index({ a: "x.safetensors", b: "x.safetensors" })).rejects.toThrowError(/does not hold "b"/);
  await expect(index({ a: "x.safetensors", c: "y.safetensors" }, { "y.safetensors": tensors({ a: sound }, 8) })).rejects.toThrowError(
    /two shards hold "a"|the index says/,
  );
  await expect(index(null)).rejects.toThrowError(/no weight_map/);
});
