/** @file Rows of new keys or values into the pages of a cache, in place: row t goes to slots[t] = page · B + row; slots outside are skipped; of two rows for one slot the later wins. */
import type { DType } from "../dtype.ts";
import { elementCount, specBytes } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { activation, expectShapes, hasShape, integers, rankOf } from "./shared-operands.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

const cacheTypes: readonly DType[] = ["f32", "bf16", "f16", "q8_0"];
const cache = (dtype: DType, ...shape: number[]) => tensor(dtype, shape);

export const cacheWrite = defineOp({
  inputs: [activation("x"), integers("slots"), { name: "cache", dtypes: cacheTypes }],
  outputs: ["cache"],
  infer: ([x, slots, cache]) => {
    const fits = rankOf(x!) === 3 && rankOf(cache!) === 4 && hasShape(x!, x!.shape[0]!, ...cache!.shape.slice(2)) && hasShape(slots!, x!.shape[0]!);
    expectShapes("cacheWrite", fits, "x [T, Hk, D], slots [T], cache [P, B, Hk, D]", [x!, slots!, cache!]);
    specBytes(cache!); // rows of blocks must be whole
    return [cache!];
  },
  gradient: { none: "it serves generation" },
  reference: ([x, slots, cache]) => {
    const size = cache!.shape[2]! * cache!.shape[3]!;
    const written = cache!.values.slice();
    slots!.values.forEach((slot, t) => {
      if (slot >= 0 && slot < cache!.shape[0]! * cache!.shape[1]!) written.set(x!.values.subarray(t * size, (t + 1) * size), slot * size);
    });
    return [written];
  },
  cost: ([x, , cache]) => ({
    operations: elementCount(x!.shape),
    bytes: specBytes(x!) + specBytes({ dtype: cache!.dtype, shape: x!.shape }) + 4 * x!.shape[0]!,
  }),
  samples: [
    { label: "skipped and outside", inputs: [f32(5, 2, 8), list(0, 7, -1, 24, 13), cache("f32", 6, 4, 2, 8)] },
    { label: "the later row wins", inputs: [f32(3, 1, 4), list(5, 2, 5), cache("f32", 2, 4, 1, 4)] },
    { label: "no rows", inputs: [f32(0, 1, 4), tensor("i32", [0]), cache("f32", 2, 4, 1, 4)] },
    ...cacheTypes.map((type) => ({ label: `bf16 into ${type}`, inputs: [bf16(5, 2, 64), list(0, 9, 3, -1, 11), cache(type, 3, 4, 2, 64)] })),
    { label: "f32 into bf16", inputs: [f32(2, 3, 20), list(1, 0), cache("bf16", 1, 4, 3, 20)] },
    { label: "f32 into q8_0", inputs: [f32(3, 1, 96), list(2, 0, 1), cache("q8_0", 1, 4, 1, 96)] },
  ],
  inPlace: { 0: 2 },
});
