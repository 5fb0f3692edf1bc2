/**
 * @file y = x / (1 − rate) where kept, 0 where dropped (even of NaN). Which are kept depends on seed, stream and index alone,
 * so the backward pass runs the same operator: with i the element's index and all numbers u32,
 *   x = i_low · 0x9E3779B1 ^ rotl(seed · 0x85EBCA77 + stream · 0xC2B2AE3D + i_high · 0x27D4EB2F, 15)
 *   x ^= x >> 16;  x *= 0x7FEB352D;  x ^= x >> 15;  x *= 0x846CA68B;  x ^= x >> 16
 * and an element is kept when x ≥ rate · 2³².
 */
import { StarboxError } from "#base";
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { counterHash } from "./shared-math.ts";
import { activation, chosenType, expectShapes, hasShape, integers, typeOf } from "./shared-operands.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

export const dropout = defineOp({
  inputs: [activation("x"), integers("seed")],
  outputs: ["y"],
  params: { rate: null, stream: 0 },
  infer: ([x, seed], params, as) => {
    expectShapes("dropout", hasShape(seed!, 1), "any x and seed [1]", [x!, seed!]);
    const rate = params["rate"]!;
    if (!(rate >= 0 && rate < 1)) throw new StarboxError("tensor_invalid", `dropout: expected a rate from 0 to below 1, got ${rate}.`);
    return [{ dtype: chosenType("dropout", as, x!.dtype), shape: x!.shape }];
  },
  gradient: ({ inputs: [x, seed], params, upstream: [dy], apply }) => [apply("dropout", [dy!, seed!], params, typeOf(x!)), null],
  reference: ([x, seed], params) => {
    const rate = params["rate"]!;
    const kept = (i: number): boolean => counterHash(seed!.values[0]!, params["stream"]!, i) >= rate * 2 ** 32;
    return [x!.values.map((v, i) => (kept(i) ? v / (1 - rate) : 0))];
  },
  cost: elementwiseCost(10),
  samples: [
    { label: "matrix with a remainder", inputs: [f32(5, 37), list(42)], params: { rate: 0.3, stream: 7 } },
    { label: "negative seed, large stream", inputs: [f32(3, 50), list(-123456789)], params: { rate: 0.5, stream: 4294967295 } },
    { label: "rate 0", inputs: [f32(9), list(1)], params: { rate: 0 } },
    { label: "bf16", inputs: [bf16(3, 65), list(3)], params: { rate: 0.1, stream: 1 } },
    { label: "empty", inputs: [f32(0), list(3)], params: { rate: 0.1 } },
    { label: "several chunks", inputs: [f32(2, 9001), list(5)], params: { rate: 0.05, stream: 2 }, checkGradient: false },
    {
      label: "dropped NaN is 0",
      inputs: [tensor("f32", [16], { values: Array.from({ length: 16 }, () => Number.NaN) }), list(5)],
      params: { rate: 0.6 },
      checkGradient: false,
    },
  ],
  mayOverwrite: [0],
});
