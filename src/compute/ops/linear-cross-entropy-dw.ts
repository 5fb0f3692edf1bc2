/** @file dw = Σ over rows of dnll[t] · (softmax(l[t]) − onehot(target)) · dl/dz · x[t] + base: the gradient of linearCrossEntropy to its weight, logits recomputed from lse. */
import { defineOp } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { crossEntropyRows } from "./shared-cross-entropy.ts";
import { byWeightType, trained } from "./shared-matmul.ts";
import { activation, chosenType, expectShapes, float32, hasShape, integers, noSecondGradient, optional, rankOf, weight } from "./shared-operands.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

/** Near log V: as if from a forward pass. */
const lse = (rows: number) => tensor("f32", [rows], { values: Array.from({ length: rows }, (_, t) => 4 + (t % 5) / 8) });

export const linearCrossEntropyDw = defineOp({
  inputs: [activation("x"), weight("w"), integers("targets"), float32("lse"), float32("dnll"), optional(activation("base"))],
  outputs: ["dw"],
  params: { softcap: 0 },
  infer: ([x, w, targets, lse, dnll, base], _params, as) => {
    const [m, v] = [x!.shape[0]!, w!.shape[0]!];
    const rows = hasShape(targets!, m) && hasShape(lse!, m) && hasShape(dnll!, m);
    const fits = rankOf(x!) === 2 && hasShape(w!, v, x!.shape[1]!) && rows && hasShape(base ?? null, v, x!.shape[1]!);
    const text = "x [M, D], w [V, D], targets, lse and dnll [M], base [V, D]";
    expectShapes("linearCrossEntropyDw", fits, text, [x!, w!, targets!, lse!, dnll!, base ?? null]);
    return [{ dtype: chosenType("linearCrossEntropyDw", as, "f32"), shape: w!.shape }];
  },
  gradient: noSecondGradient,
  reference: ([x, w, targets, lse, dnll, base], params) => {
    const columns = x!.shape[1]!;
    const dw = new Float64Array(w!.values.length);
    crossEntropyRows(x!, w!, targets!.values, params["softcap"]!, ({ t, target, logits, slopes }) => {
      for (let v = 0; v < logits.length; v++) {
        const g = dnll!.values[t]! * (Math.exp(logits[v]! - lse!.values[t]!) - (v === target ? 1 : 0)) * slopes[v]!;
        for (let d = 0; d < columns; d++) dw[v * columns + d]! += g * x!.values[t * columns + d]!;
      }
    });
    return [dw.map((v, i) => v + (base?.values[i] ?? 0))];
  },
  cost: (inputs, outputs) => ({
    operations: 4 * inputs[0]!.shape[0]! * inputs[0]!.shape[1]! * inputs[1]!.shape[0]!,
    bytes: bytesOf(inputs, outputs),
  }),
  samples: [
    { label: "targets outside", inputs: [f32(5, 12), trained("f32", 37, 12), list(0, 36, -1, 37, 5), lse(5), f32(5), null] },
    {
      label: "softcap, accumulated",
      inputs: [f32(5, 12), trained("f32", 37, 12), list(0, 36, -1, 3, 5), lse(5), f32(5), f32(37, 12)],
      params: { softcap: 2 },
    },
    { label: "no rows", inputs: [f32(0, 8), trained("f32", 9, 8), tensor("i32", [0]), lse(0), f32(0), f32(9, 8)] },
    {
      label: "several tiles",
      inputs: [f32(70, 40), trained("f32", 3000, 40), tensor("i32", [70], { draw: "integers", from: -1, below: 3000 }), lse(70), f32(70), null],
    },
    {
      label: "bf16",
      inputs: [bf16(33, 64), trained("bf16", 530, 64), tensor("i32", [33], { draw: "integers", from: -2, below: 530 }), lse(33), f32(33), null],
    },
    {
      label: "bf16 result",
      inputs: [bf16(9, 64), trained("bf16", 70, 64), list(0, 69, -1, 5, 6, 7, 8, 9, 10), lse(9), f32(9), bf16(70, 64)],
      as: "bf16",
    },
    ...byWeightType((type) => [
      { label: `${type} weight`, inputs: [f32(5, 256), trained(type, 70, 256), list(0, 69, -1, 5, 6), lse(5), f32(5), null] },
    ]),
  ],
});
