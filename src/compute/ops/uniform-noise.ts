/** @file y = x + magnitude · u, u uniform in [−1, 1) from dropout's hash (NEFTune: noise on embeddings while training). */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { counterHash } from "./shared-math.ts";
import { activation, chosenType, expectShapes, hasShape, integers } from "./shared-operands.ts";
import { bf16, f32, list } from "./shared-samples.ts";

export const uniformNoise = defineOp({
  inputs: [activation("x"), integers("seed")],
  outputs: ["y"],
  params: { magnitude: null, stream: 0 },
  infer: ([x, seed], _params, as) => {
    expectShapes("uniformNoise", hasShape(seed!, 1), "any x and seed [1]", [x!, seed!]);
    return [{ dtype: chosenType("uniformNoise", as, x!.dtype), shape: x!.shape }];
  },
  gradient: ({ upstream: [dy] }) => [dy!, null],
  reference: ([x, seed], params) => [
    x!.values.map((v, i) => v + params["magnitude"]! * ((2 * counterHash(seed!.values[0]!, params["stream"]!, i)) / 2 ** 32 - 1)),
  ],
  cost: elementwiseCost(12),
  samples: [
    { label: "matrix with a remainder", inputs: [f32(5, 37), list(42)], params: { magnitude: 0.3, stream: 7 } },
    { label: "negative seed", inputs: [f32(3, 50), list(-1)], params: { magnitude: 5 } },
    { label: "no noise", inputs: [f32(9), list(1)], params: { magnitude: 0 } },
    { label: "bf16", inputs: [bf16(3, 65), list(3)], params: { magnitude: 0.1, stream: 1 } },
    { label: "empty", inputs: [f32(0), list(3)], params: { magnitude: 0.1 } },
    { label: "several chunks", inputs: [f32(2, 9001), list(5)], params: { magnitude: 0.05, stream: 2 }, checkGradient: false },
  ],
  mayOverwrite: [0],
});
