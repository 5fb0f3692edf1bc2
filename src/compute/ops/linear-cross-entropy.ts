/**
 * @file nll[t] = lse[t] − l[t, target] with l = c·tanh(x Wᵀ / c) (c = softcap; 0: plain x Wᵀ), never holding all logits. Targets outside the vocabulary are skipped
 * and cost nothing: nll, lse and their row of dx0 are 0. dx0, the gradient of nll[t] to x[t], comes from the same pass where `withDx` is 1.
 */
import { StarboxError } from "#base";
import { defineOp, type Sample } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { crossEntropyRows } from "./shared-cross-entropy.ts";
import { byWeightType, trained } from "./shared-matmul.ts";
import { activation, chosenType, expectShapes, firstUpstream, hasShape, integers, rankOf, typeOf, weight } from "./shared-operands.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

const sample = (label: string, more: Partial<Sample> = {}): Sample => ({
  label,
  inputs: [f32(5, 12), trained("f32", 37, 12), list(0, 36, -1, 37, 5)],
  params: { withDx: 1 },
  ...more,
});

export const linearCrossEntropy = defineOp({
  inputs: [activation("x"), weight("w"), integers("targets")],
  outputs: ["nll", "lse", "dx0"],
  params: { withDx: 1, softcap: 0 },
  infer: ([x, w, targets], params, as) => {
    const fits = rankOf(x!) === 2 && hasShape(w!, w!.shape[0]!, x!.shape[1]!) && hasShape(targets!, x!.shape[0]!);
    expectShapes("linearCrossEntropy", fits, "x [M, D], w [V, D], targets [M]", [x!, w!, targets!]);
    const column = { dtype: chosenType("linearCrossEntropy", as, "f32", ["f32"]), shape: [x!.shape[0]!] };
    return params["withDx"] ? [column, column, { dtype: x!.dtype, shape: x!.shape }] : [column, column];
  },
  gradient: (context) => {
    const [x, w, targets] = context.inputs;
    const [, lse, dx0] = context.outputs;
    const dnll = firstUpstream("linearCrossEntropy", context);
    if (context.wants[0] && dx0 === undefined)
      throw new StarboxError("unsupported", "linearCrossEntropy: the gradient to x was left out of the forward pass.", {
        hint: "Build it with withDx: 1.",
      });
    return [
      context.wants[0] ? context.apply("mulColumn", [dx0!, dnll], {}, typeOf(x!)) : null,
      context.wants[1]
        ? context.apply("linearCrossEntropyDw", [x!, w!, targets!, lse!, dnll, null], { softcap: context.params["softcap"]! }, { as: "f32" })
        : null,
      null,
    ];
  },
  reference: ([x, w, targets], params, outputs) => {
    const columns = x!.shape[1]!;
    const [nll, lse, dx] = [new Float64Array(x!.shape[0]!), new Float64Array(x!.shape[0]!), new Float64Array(x!.values.length)];
    crossEntropyRows(x!, w!, targets!.values, params["softcap"]!, ({ t, target, logits, total, slopes }) => {
      lse[t] = total;
      nll[t] = total - logits[target]!;
      for (let v = 0; v < logits.length; v++) {
        const g = (Math.exp(logits[v]! - total) - (v === target ? 1 : 0)) * slopes[v]!;
        for (let d = 0; d < columns; d++) dx[t * columns + d]! += g * w!.values[v * columns + d]!;
      }
    });
    return [nll, lse, dx].slice(0, outputs.length);
  },
  cost: (inputs, outputs) => {
    const product = 2 * inputs[0]!.shape[0]! * inputs[0]!.shape[1]! * inputs[1]!.shape[0]!;
    return { operations: outputs.length === 3 ? 2 * product : product, bytes: bytesOf(inputs, outputs) }; // an upper bound: skipped rows cost nothing
  },
  samples: [
    sample("targets outside"),
    sample("loss alone", { params: { withDx: 0 }, checkGradient: false }),
    sample("softcap", { params: { withDx: 1, softcap: 2 } }),
    sample("all skipped", { inputs: [f32(3, 8), trained("f32", 9, 8), list(-1, -1, -1)] }),
    sample("no rows", { inputs: [f32(0, 8), trained("f32", 9, 8), tensor("i32", [0])] }),
    sample("vocabulary over several tiles", {
      inputs: [f32(70, 40), trained("f32", 5000, 40), tensor("i32", [70], { draw: "integers", from: -1, below: 5000 })],
      checkGradient: false,
    }),
    sample("large logits", {
      inputs: [tensor("f32", [3, 16], { draw: "normal", scale: 100 }), trained("f32", 300, 16), list(0, 299, 7)],
      checkGradient: false,
    }),
    sample("bf16", { inputs: [bf16(33, 64), trained("bf16", 1030, 64), tensor("i32", [33], { draw: "integers", from: -2, below: 1030 })] }),
    sample("f32 activations, bf16 weight", {
      inputs: [f32(9, 64), trained("bf16", 100, 64), tensor("i32", [9], { draw: "integers", from: -1, below: 100 })],
    }),
    ...byWeightType((type) => [
      sample(`${type} weight`, { inputs: [f32(5, 256), trained(type, 70, 256), list(0, 69, -1, 5, 6)] }),
      sample(`${type} weight, bf16 activations`, {
        inputs: [bf16(9, 256), trained(type, 130, 256), tensor("i32", [9], { draw: "integers", from: -1, below: 130 })],
      }),
    ]),
  ],
});
