/** @file A row of a product with a packed weight has the same bits alone as among many: a batch answers as its members do. */
import { expect, test } from "vitest";
import { StarboxError } from "#base";
import { CpuDevice } from "../../src/compute/backends/cpu/cpu-device.ts";
import { ensureNative } from "../../src/compute/backends/cpu/library.ts";
import { benchData } from "../../src/compute/bench/fill.ts";
import { weightTypes } from "../../src/compute/dtype.ts";
import { Graph } from "../../src/compute/graph/graph.ts";

/** More rows, columns and depth than a tile, none of them whole. */
const [many, n, k] = [131, 83, 1280] as const;
const few = [1, 2, 3, 4, 8, 9, 12, 14] as const;

async function product(device: CpuDevice, type: (typeof weightTypes)[number], x: Float32Array): Promise<Float32Array> {
  const rows = x.length / k;
  const graph = new Graph();
  const spec = { dtype: type, shape: [n, k] };
  using weight = device.tensor("w", spec, benchData({ dtype: type, shape: [n, k] }, 7));
  graph.output("y", graph.apply("linear", [graph.input("x", "f32", [rows, k]), graph.parameter("w", type, [n, k]), null, null], {}, { as: "f32" }));
  using executable = device.compile(graph.build(), { parameters: { w: weight }, int8: true });
  expect(executable.memory.packedBytes).toBeGreaterThan(0);
  return (await executable.run({ inputs: { x } }))["y"] as Float32Array;
}

test.each(weightTypes.map((type) => [type] as const))("%s: rows have the same bits in products of any size", async (type) => {
  let library: string;
  try {
    library = await ensureNative();
  } catch (error) {
    if (StarboxError.is(error, "device_unsupported")) return expect(error.message).not.toBe("");
    throw error;
  }
  using device = new CpuDevice({ library, threads: 2 });
  const x = benchData({ dtype: "f32", shape: [many, k] }, 3) as Float32Array;
  const all = await product(device, type, x);
  const first = many - Math.max(...few); // rows that do not begin a tile
  for (const rows of few) {
    const y = await product(device, type, x.slice(first * k, (first + rows) * k));
    expect(Buffer.from(y.buffer).equals(Buffer.from(all.buffer, first * n * 4, rows * n * 4)), `${rows} rows of ${many}`).toBe(true);
  }
});
