/**
 * @file Rotary positions (Su et al., 2021): the pair i of a head turns by position · positionScale · base^(−2i/n) / factors[i] and is multiplied by magnitude;
 * dimensions from n on stay as they are. Pairs are (2i, 2i+1) where interleaved, else (i, i + n/2).
 * `inverse` turns the other way, magnitude as before: the transposed map, which is the gradient.
 */
import { StarboxError } from "#base";
import { defineOp, type Params } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, chosenType, constant, expectShapes, float32, hasShape, integers, optional, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32, list, positive, tensor } from "./shared-samples.ts";

function expectRotation(params: Params, columns: number): void {
  const [n, base] = [params["n"]!, params["base"]!];
  if (!Number.isInteger(n) || n < 0 || n % 2 !== 0 || n > columns || !(base > 0))
    throw new StarboxError("tensor_invalid", `rope: expected an even n from 0 to ${columns} and a base above 0, got n ${n}, base ${base}.`);
}

export const rope = defineOp({
  inputs: [activation("x"), integers("positions"), optional(constant(float32("factors")))],
  outputs: ["y"],
  params: { base: 10000, n: null, interleaved: 0, positionScale: 1, magnitude: 1, inverse: 0 },
  infer: ([x, positions, factors], params, as) => {
    const fits = rankOf(x!) === 3 && hasShape(positions!, x!.shape[0]!) && hasShape(factors ?? null, params["n"]! / 2);
    expectShapes("rope", fits, "x [T, H, D], positions [T], factors [n/2]", [x!, positions!, factors ?? null]);
    expectRotation(params, x!.shape[2]!);
    return [{ dtype: chosenType("rope", as, x!.dtype), shape: x!.shape }];
  },
  gradient: ({ inputs: [x, positions, factors], params, upstream: [dy], apply }) => [
    apply("rope", [dy!, positions!, factors ?? null], { ...params, inverse: params["inverse"] ? 0 : 1 }, typeOf(x!)),
    null,
    null,
  ],
  reference: ([x, positions, factors], params) => {
    const [count, heads, columns] = x!.shape as [number, number, number];
    const n = params["n"]!;
    const y = x!.values.slice();
    for (let t = 0; t < count; t++)
      for (let i = 0; i < n / 2; i++) {
        const frequency = params["base"]! ** ((-2 * i) / n) / (factors?.values[i] ?? 1);
        const angle = positions!.values[t]! * params["positionScale"]! * frequency * (params["inverse"] ? -1 : 1);
        const [cos, sin] = [Math.cos(angle) * params["magnitude"]!, Math.sin(angle) * params["magnitude"]!];
        for (let h = 0; h < heads; h++) {
          const row = (t * heads + h) * columns;
          const [a, b] = params["interleaved"] ? [row + 2 * i, row + 2 * i + 1] : [row + i, row + i + n / 2];
          y[a] = x!.values[a]! * cos - x!.values[b]! * sin;
          y[b] = x!.values[a]! * sin + x!.values[b]! * cos;
        }
      }
    return [y];
  },
  cost: elementwiseCost(3),
  samples: [
    { label: "halves", inputs: [f32(5, 3, 16), list(0, 1, 2, 3, 4), null], params: { n: 16 } },
    { label: "interleaved", inputs: [f32(5, 3, 16), list(7, 1, 2, 1000, 4), null], params: { n: 16, interleaved: 1 } },
    { label: "part of the head", inputs: [f32(3, 2, 20), list(9, 8, 7), null], params: { n: 12, base: 500000 } },
    {
      label: "factors, scale, magnitude",
      inputs: [f32(3, 2, 8), list(9, 80, 700), positive(4)],
      params: { n: 8, positionScale: 0.25, magnitude: 1.2 },
    },
    { label: "inverse", inputs: [f32(3, 2, 8), list(9, 80, 700), null], params: { n: 8, inverse: 1, magnitude: 0.9, interleaved: 1 } },
    { label: "far positions", inputs: [f32(4, 1, 64), list(131071, 32768, 1000003, -5), null], params: { n: 64, base: 1000000 } },
    { label: "no tokens", inputs: [f32(0, 2, 8), tensor("i32", [0]), null], params: { n: 8 } },
    { label: "nothing rotated", inputs: [f32(2, 2, 8), list(1, 2), null], params: { n: 0 } },
    { label: "bf16", inputs: [bf16(4, 3, 66), list(3, 0, 1, 2), null], params: { n: 66 } },
    { label: "f32 to bf16", inputs: [f32(4, 2, 12), list(3, 0, 1, 2), null], params: { n: 12, interleaved: 1 }, as: "bf16" },
    {
      label: "many tokens",
      inputs: [f32(200, 4, 64), tensor("i32", [200], { draw: "integers", from: 0, below: 4096 }), null],
      params: { n: 64 },
      checkGradient: false,
    },
  ],
  mayOverwrite: [0],
});
