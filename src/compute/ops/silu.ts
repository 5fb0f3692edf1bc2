/** @file y = x · sigmoid(x), elementwise. (Elfwing et al., "Sigmoid-weighted linear units", 2018.) */
import { activationTypes } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { elementwiseCost, elementwiseSamples, sameAs } from "./shared.ts";

export const silu = defineOp({
  inputs: [{ name: "x", dtypes: activationTypes }],
  outputs: ["y"],
  infer: sameAs(0),
  gradient: ({ inputs: [x], upstream: [dy], apply }) => [apply("siluBackward", [dy!, x!])],
  reference: ([x]) => [x!.values.map((v) => v / (1 + Math.exp(-v)))],
  cost: elementwiseCost(6),
  samples: elementwiseSamples(1),
  mayOverwrite: [0],
});
