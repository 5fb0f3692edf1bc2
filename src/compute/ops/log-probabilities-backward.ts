/** @file dx[t] = dy[t] · (onehot(id) − softmax(x[t])); a zero row where the id lies outside the vocabulary. */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { logSumExp } from "./shared-math.ts";
import { activation, chosenType, expectShapes, float32, hasShape, integers, noSecondGradient, rankOf } from "./shared-operands.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

export const logProbabilitiesBackward = defineOp({
  inputs: [float32("dy"), activation("x"), integers("ids")],
  outputs: ["dx"],
  infer: ([dy, x, ids], _params, as) => {
    const fits = rankOf(x!) === 2 && hasShape(dy!, x!.shape[0]!) && hasShape(ids!, x!.shape[0]!);
    expectShapes("logProbabilitiesBackward", fits, "dy [T], x [T, V] and ids [T]", [dy!, x!, ids!]);
    return [{ dtype: chosenType("logProbabilitiesBackward", as, x!.dtype), shape: x!.shape }];
  },
  gradient: noSecondGradient,
  reference: ([dy, x, ids]) => {
    const columns = x!.shape[1]!;
    const total = Array.from({ length: x!.shape[0]! }, (_, t) => logSumExp(x!.values, t * columns, columns));
    const dx = x!.values.map((v, i) => {
      const t = Math.floor(i / columns);
      const id = ids!.values[t]!;
      if (id < 0 || id >= columns) return 0;
      return dy!.values[t]! * ((i % columns === id ? 1 : 0) - Math.exp(v - total[t]!));
    });
    return [dx];
  },
  cost: elementwiseCost(8),
  samples: [
    { label: "odd columns, ids outside", inputs: [f32(5), f32(5, 37), list(0, 36, -1, 37, 5)] },
    { label: "no rows", inputs: [f32(0), f32(0, 8), tensor("i32", [0])] },
    { label: "bf16", inputs: [f32(3), bf16(3, 65), list(1, 2, 64)] },
    { label: "f32 to bf16", inputs: [f32(3), f32(3, 9), list(1, 2, 8)], as: "bf16" },
    { label: "wide", inputs: [f32(2), f32(2, 5000), list(4999, 7)] },
  ],
});
