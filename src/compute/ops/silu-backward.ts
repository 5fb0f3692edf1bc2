/** @file dx = dy · σ(x) · (1 + x · (1 − σ(x))), the gradient of silu. */
import { activationTypes } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { elementwiseCost, elementwiseSamples, sameAs } from "./shared.ts";

export const siluBackward = defineOp({
  inputs: [
    { name: "dy", dtypes: activationTypes },
    { name: "x", dtypes: activationTypes },
  ],
  outputs: ["dx"],
  infer: sameAs(0),
  gradient: { none: "second derivatives are not needed for training" },
  reference: ([dy, x]) => [
    dy!.values.map((d, i) => {
      const v = x!.values[i]!;
      const sigmoid = 1 / (1 + Math.exp(-v));
      return d * sigmoid * (1 + v * (1 - sigmoid));
    }),
  ],
  cost: elementwiseCost(9),
  samples: elementwiseSamples(2),
  mayOverwrite: [0, 1],
});
