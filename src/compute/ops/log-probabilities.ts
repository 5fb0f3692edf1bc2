/** @file y[t] = x[t, id] − log Σe^x[t]: the log-probability of chosen tokens. 0 where the id lies outside the vocabulary. */
import { defineOp } from "../op.ts";
import { reductionCost } from "./shared.ts";
import { logSumExp } from "./shared-math.ts";
import { activation, expectShapes, hasShape, integers, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32, list, repeated, tensor } from "./shared-samples.ts";

export const logProbabilities = defineOp({
  inputs: [activation("x"), integers("ids")],
  outputs: ["y"],
  infer: ([x, ids]) => {
    expectShapes("logProbabilities", rankOf(x!) === 2 && hasShape(ids!, x!.shape[0]!), "x [T, V] and ids [T]", [x!, ids!]);
    return [{ dtype: "f32", shape: [x!.shape[0]!] }];
  },
  gradient: ({ inputs: [x, ids], upstream: [dy], apply }) => [apply("logProbabilitiesBackward", [dy!, x!, ids!], {}, typeOf(x!)), null],
  reference: ([x, ids]) => {
    const columns = x!.shape[1]!;
    return [ids!.values.map((id, t) => (id < 0 || id >= columns ? 0 : x!.values[t * columns + id]! - logSumExp(x!.values, t * columns, columns)))];
  },
  cost: reductionCost(5),
  samples: [
    { label: "odd columns, ids outside", inputs: [f32(5, 37), list(0, 36, -1, 37, 5)] },
    { label: "large values", inputs: [repeated("f32", [2, 3], [1e4, 1e4 - 1, -1e4]), list(0, 2)], checkGradient: false },
    { label: "no rows", inputs: [f32(0, 8), tensor("i32", [0])] },
    { label: "bf16", inputs: [bf16(3, 65), list(1, 2, 64)] },
    { label: "wide", inputs: [f32(2, 5000), list(4999, 7)], checkGradient: false },
  ],
});
