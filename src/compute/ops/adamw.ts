/**
 * @file One AdamW step, in place (Loshchilov and Hutter, 2019): g = grad · gradScale; m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²;
 * p −= rate · (m̂ / (√v̂ + eps) + weightDecay · p), m̂ and v̂ bias-corrected. `hyper` holds what changes from step to step:
 * learning rate, step (from 1), gradScale (clipping, averaging). A bf16 copy of the new p is written where `withCopy` is 1.
 */
import { elementCount } from "../dtype.ts";
import { defineOp, type Sample } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { activation, expectShapes, float32, hasShape } from "./shared-operands.ts";
import { bf16, f32, positive, tensor } from "./shared-samples.ts";

const hyper = (...values: number[]) => tensor("f32", [3], { values });
const sample = (label: string, shape: number[], more: Partial<Sample> = {}): Sample => ({
  label,
  inputs: [f32(...shape), f32(...shape), f32(...shape), positive(...shape), hyper(1e-3, 3, 0.5)],
  params: { weightDecay: 0.1 },
  ...more,
});

export const adamw = defineOp({
  inputs: [float32("param"), activation("grad"), float32("m"), float32("v"), float32("hyper")],
  outputs: ["param", "m", "v", "copy"],
  params: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, withCopy: 0 },
  infer: ([param, grad, m, v, hyper], params) => {
    const fits = [grad!, m!, v!].every((spec) => hasShape(spec, ...param!.shape)) && hasShape(hyper!, 3);
    expectShapes("adamw", fits, "param, grad, m, v of one shape and hyper [3]", [param!, grad!, m!, v!, hyper!]);
    return [param!, m!, v!, ...(params["withCopy"] ? [{ dtype: "bf16" as const, shape: param!.shape }] : [])];
  },
  gradient: { none: "nobody differentiates through the update" },
  reference: ([param, grad, m, v, hyper], params, outputs) => {
    const [rate, step, gradScale] = hyper!.values as unknown as [number, number, number];
    const [beta1, beta2] = [params["beta1"]!, params["beta2"]!];
    const g = grad!.values.map((value) => value * gradScale);
    const newM = m!.values.map((value, i) => beta1 * value + (1 - beta1) * g[i]!);
    const newV = v!.values.map((value, i) => beta2 * value + (1 - beta2) * g[i]! * g[i]!);
    const [correct1, correct2] = [1 - beta1 ** step, 1 - beta2 ** step];
    const next = param!.values.map(
      (p, i) => p - rate * (newM[i]! / correct1 / (Math.sqrt(newV[i]! / correct2) + params["eps"]!) + params["weightDecay"]! * p),
    );
    return [next, newM, newV, next.slice()].slice(0, outputs.length);
  },
  cost: (inputs, outputs) => ({ operations: 14 * elementCount(inputs[0]!.shape), bytes: bytesOf(inputs, outputs) }),
  samples: [
    sample("matrix with a remainder", [5, 37]),
    sample("bf16 gradient and copy", [3, 65], {
      inputs: [f32(3, 65), bf16(3, 65), f32(3, 65), positive(3, 65), hyper(1e-3, 3, 0.5)],
      params: { weightDecay: 0.1, withCopy: 1 },
    }),
    sample("first step from zero moments", [33], {
      inputs: [
        f32(33),
        f32(33),
        tensor("f32", [33], { values: Array(33).fill(0) }),
        tensor("f32", [33], { values: Array(33).fill(0) }),
        hyper(1e-2, 1, 1),
      ],
    }),
    sample("late step", [33], { inputs: [f32(33), f32(33), f32(33), positive(33), hyper(1e-4, 100000, 1)], params: { beta2: 0.95, eps: 1e-6 } }),
    sample("empty", [0]),
    sample("several chunks", [2, 9001]),
  ],
  inPlace: { 0: 0, 1: 2, 2: 3 },
});
