/** @file The cache of rearranged weights: whole files only, damage is noticed, the size is kept; and on the device the same results with it as without. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { StarboxError } from "#base";
import { Graph } from "../../graph/graph.ts";
import { createRandom } from "../reference/sample-values.ts";
import { storeValues } from "../reference/storage.ts";
import { CpuDevice } from "./cpu-device.ts";
import { ensureNative } from "./library.ts";
import { PackCache } from "./pack-cache.ts";

const home = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-pack-cache-"));
afterAll(() => fs.rmSync(home, { recursive: true, force: true }));
const bytes = (count: number, value: number): Uint8Array => new Uint8Array(count).fill(value);
const key = (content: string) => ({ content, form: "y" });

test("gives back what was kept, under the same key only", () => {
  const cache = new PackCache({ folder: path.join(home, "a"), maxBytes: 1 << 20 });
  const target = bytes(1000, 0);
  expect(cache.read(key("w"), target)).toBe(false);
  cache.write(key("w"), bytes(1000, 7));
  expect([cache.read(key("w"), target), target]).toEqual([true, bytes(1000, 7)]);
  for (const other of [key("v"), { ...key("w"), form: "dx" }]) expect(cache.read(other, bytes(1000, 0))).toBe(false);
  expect(cache.read(key("w"), bytes(999, 0))).toBe(false); // another size is another thing: never half of it
});

test("a file cut short, with one bit turned, or with another beginning is made again", () => {
  const folder = path.join(home, "b");
  const damages: readonly ((file: string) => void)[] = [
    (file) => fs.truncateSync(file, 500),
    (file) =>
      fs.writeFileSync(
        file,
        fs.readFileSync(file).map((v, i) => (i === 700 ? v ^ 1 : v)),
      ),
    (file) =>
      fs.writeFileSync(
        file,
        fs.readFileSync(file).map((v, i) => (i === 0 ? 0 : v)),
      ),
    (file) => fs.writeFileSync(file, ""),
  ];
  for (const damage of damages) {
    const cache = new PackCache({ folder, maxBytes: 1 << 20 });
    cache.write(key("w"), bytes(1000, 7));
    damage(path.join(folder, fs.readdirSync(folder)[0]!));
    expect([cache.read(key("w"), bytes(1000, 0)), cache.counts.damaged]).toEqual([false, 1]);
    expect(fs.readdirSync(folder)).toEqual([]);
  }
});

test("stays below its size; what was not read for longest goes first; drafts of killed processes go", () => {
  const folder = path.join(home, "c");
  const cache = new PackCache({ folder, maxBytes: 10_500 });
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, "x.1-ab.draft"), "cut");
  fs.utimesSync(path.join(folder, "x.1-ab.draft"), 1, 1);
  for (let i = 0; i < 10; i++) {
    cache.write(key(`w${i}`), bytes(1000, i));
    for (const name of fs.readdirSync(folder)) fs.utimesSync(path.join(folder, name), 1000 + i, 1000 + i);
  }
  expect(cache.read(key("w0"), bytes(1000, 9))).toBe(true); // read just now: the newest
  cache.write(key("w10"), bytes(1000, 10));
  const sizes = fs.readdirSync(folder).map((name) => fs.statSync(path.join(folder, name)).size);
  expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(10_500);
  expect(fs.readdirSync(folder).filter((name) => name.endsWith(".draft"))).toEqual([]);
  for (const kept of ["w0", "w10"]) expect(cache.read(key(kept), bytes(1000, 9)), kept).toBe(true);
});

test("a folder that cannot be written to is no cache, and no error", () => {
  fs.writeFileSync(path.join(home, "file"), "");
  const cache = new PackCache({ folder: path.join(home, "file", "below"), maxBytes: 1 << 20 });
  cache.write(key("w"), bytes(10, 1));
  expect(cache.read(key("w"), bytes(10, 0))).toBe(false);
});

test("on the device: second load from disk, same bits; a damaged file and a changed weight give right results", { timeout: 400_000 }, async ({
  skip,
}) => {
  const folder = path.join(home, "d");
  const shape = [64, 256];
  const random = createRandom(1);
  const draw = () =>
    storeValues(
      { dtype: "q8_0", shape },
      Float64Array.from({ length: 64 * 256 }, () => 2 * random() - 1),
    );
  const [first, second] = [draw(), draw()];
  const graph = new Graph();
  graph.output("y", graph.apply("linear", [graph.input("x", "f32", [4, 256]), graph.parameter("w", "q8_0", shape)]));
  const x = Float32Array.from({ length: 4 * 256 }, () => 2 * random() - 1);
  let library: string;
  try {
    library = await ensureNative();
  } catch (error) {
    if (StarboxError.is(error, "device_unsupported")) return skip("without a C++ compiler there is no cpu device");
    throw error;
  }
  const load = async (weight: typeof first, cached: boolean) => {
    using device = new CpuDevice({ library, threads: 1, ...(cached ? { packCache: { folder, maxBytes: 1 << 20 } } : {}) });
    using w = device.tensor("w", { dtype: "q8_0", shape }, weight);
    using executable = device.compile(graph.build(), { parameters: { w }, int8: true });
    const y = (await executable.run({ inputs: { x } }))["y"]!;
    return { y, packed: executable.memory.packedBytes, counts: { ...device.packCache?.counts } };
  };
  const plain = await load(first, false);
  if (plain.packed === 0) return skip("this tier has no packed form of q8_0");
  expect(await load(first, true)).toEqual({ ...plain, counts: { hits: 0, misses: 1, damaged: 0 } });
  expect(await load(first, true)).toEqual({ ...plain, counts: { hits: 1, misses: 0, damaged: 0 } });
  const [file] = fs.readdirSync(folder);
  fs.writeFileSync(
    path.join(folder, file!),
    fs.readFileSync(path.join(folder, file!)).map((v, i) => (i === 100 ? v ^ 4 : v)),
  );
  expect(await load(first, true)).toEqual({ ...plain, counts: { hits: 0, misses: 1, damaged: 1 } });
  expect((await load(second, true)).y).toEqual((await load(second, false)).y); // another weight is not the first one's
});
