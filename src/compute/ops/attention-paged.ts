/**
 * @file Attention of new rows over keys and values kept in pages (Kwon et al., 2023). Sequence s has rows query start … + count of q and `context length` positions,
 * the new ones included; position p lies in row p mod B of page pages[s][⌊p / B⌋]. Query i is at position length − count + i and sees positions up to its own.
 * A length is clamped to what the table holds; positions whose page lies outside the cache are not seen. Rows of no sequence, of one with more queries than positions,
 * and rows that see nothing give o = 0.
 */
import type { DType } from "../dtype.ts";
import { defineOp, type Sample } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { capped, dot } from "./shared-attention.ts";
import { logSumExp } from "./shared-math.ts";
import { activation, chosenType, expectShapes, hasShape, integers, rankOf } from "./shared-operands.ts";
import { bf16, f32, rows, tensor } from "./shared-samples.ts";
import { clampedRange } from "./shared-segments.ts";

const cacheTypes: readonly DType[] = ["f32", "bf16", "f16", "q8_0"];
const cache = (dtype: DType, ...shape: number[]) => tensor(dtype, shape);
const sample = (label: string, more: Partial<Sample> = {}): Sample => ({
  label,
  inputs: [f32(4, 4, 8), cache("f32", 6, 4, 2, 8), cache("f32", 6, 4, 2, 8), rows([5, 0, 2], [1, 3, 4]), rows([0, 3, 10], [3, 1, 7])],
  params: { scale: 0.35 },
  ...more,
});

export const attentionPaged = defineOp({
  inputs: [activation("q"), { name: "kCache", dtypes: cacheTypes }, { name: "vCache", dtypes: cacheTypes }, integers("pages"), integers("sequences")],
  outputs: ["o"],
  params: { scale: null, window: 0, softcap: 0 },
  infer: ([q, k, v, pages, sequences], _params, as) => {
    const fits = rankOf(q!) === 3 && rankOf(k!) === 4 && hasShape(v!, ...k!.shape) && k!.shape[3] === q!.shape[2];
    const heads = k!.shape[2]! > 0 && q!.shape[1]! % k!.shape[2]! === 0;
    const tables = rankOf(pages!) === 2 && hasShape(sequences!, pages!.shape[0]!, 3);
    const text = "q [T, H, D], kCache and vCache [P, B, Hk, D], pages [S, n], sequences [S, 3]";
    expectShapes("attentionPaged", fits && heads && tables, text, [q!, k!, v!, pages!, sequences!]);
    return [{ dtype: chosenType("attentionPaged", as, q!.dtype), shape: q!.shape }];
  },
  gradient: { none: "it serves generation" },
  reference: ([q, k, v, pages, sequences], params) => {
    const [count, heads, columns] = q!.shape as [number, number, number];
    const [pageCount, pageRows, keyHeads] = k!.shape as [number, number, number];
    const tableWidth = pages!.shape[1]!;
    const o = new Float64Array(q!.values.length);
    const slotOf = (s: number, position: number): number => {
      const page = pages!.values[s * tableWidth + Math.floor(position / pageRows)]!;
      return page >= 0 && page < pageCount ? page * pageRows + (position % pageRows) : -1;
    };
    for (let s = 0; s < sequences!.shape[0]!; s++) {
      const [start, asked, claimed] = sequences!.values.subarray(s * 3, s * 3 + 3) as unknown as [number, number, number];
      const [first, end] = clampedRange(Float64Array.of(Math.max(0, start), Math.max(0, start) + asked, -1), 0, count);
      const [queries, length] = [end - first, Math.min(Math.max(0, claimed), tableWidth * pageRows)];
      if (length < queries) continue;
      for (let t = first; t < end; t++) {
        const own = length - queries + (t - first);
        const lowest = params["window"]! > 0 ? Math.max(0, own - params["window"]! + 1) : 0;
        const slots = Array.from({ length: Math.max(0, own + 1 - lowest) }, (_, i) => slotOf(s, lowest + i)).filter((slot) => slot >= 0);
        for (let h = 0; h < heads; h++) {
          const query = (t * heads + h) * columns;
          const keys = slots.map((slot) => (slot * keyHeads + Math.floor((h * keyHeads) / heads)) * columns);
          const scores = Float64Array.from(keys, (key) =>
            capped(dot(q!.values, query, k!.values, key, columns) * params["scale"]!, params["softcap"]!),
          );
          const total = logSumExp(scores, 0, scores.length);
          keys.forEach((key, j) => {
            for (let d = 0; d < columns; d++) o[query + d]! += Math.exp(scores[j]! - total) * v!.values[key + d]!;
          });
        }
      }
    }
    return [o];
  },
  cost: ([q, k, v, pages, sequences], outputs) => {
    const context = pages!.shape[1]! * k!.shape[1]!; // an upper bound: lengths are values
    const pairs = q!.shape[0]! * context;
    return { operations: 4 * pairs * q!.shape[1]! * q!.shape[2]!, bytes: bytesOf([q!, k!, v!, pages!, sequences!], outputs) };
  },
  samples: [
    sample("two sequences, grouped heads"),
    sample("window", { params: { scale: 0.35, window: 3 } }),
    sample("softcap", { params: { scale: 2, softcap: 1.5 } }),
    sample("rows of no sequence, bad pages, a short table", {
      inputs: [
        f32(5, 2, 4),
        cache("f32", 3, 2, 1, 4),
        cache("f32", 3, 2, 1, 4),
        rows([0, 9], [-1, 2], [1, 2]),
        rows([0, 1, 4], [1, 1, 3], [2, 2, 9]),
      ],
    }),
    sample("no rows", { inputs: [f32(0, 2, 4), cache("f32", 3, 2, 1, 4), cache("f32", 3, 2, 1, 4), rows([0, 1]), rows([0, 0, 3])] }),
    ...cacheTypes.map((type) =>
      sample(`${type} cache, long context`, {
        inputs: [
          bf16(6, 4, 64),
          cache(type, 24, 16, 2, 64),
          cache(type, 24, 16, 2, 64),
          rows(
            Array.from({ length: 12 }, (_, i) => (i * 7) % 24),
            Array.from({ length: 12 }, (_, i) => (i * 5 + 3) % 24),
          ),
          rows([0, 5, 150], [5, 1, 187]),
        ],
        params: { scale: 0.125 },
      }),
    ),
    sample("f32 queries, q8_0 cache", {
      inputs: [f32(3, 2, 32), cache("q8_0", 4, 8, 1, 32), cache("q8_0", 4, 8, 1, 32), rows([3, 1, 0]), rows([0, 3, 19])],
      params: { scale: 0.2 },
    }),
  ],
});
