/** @file y = activation(x Wᵀ + bias) + residual. The activation is 0 none, 1 relu, 2 gelu, 3 geluTanh, 4 silu. Sums over K are in f32 at least. */
import { StarboxError } from "#base";
import { elementCount } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { activationOps, activations, byWeightType, timesTransposed, trained } from "./shared-matmul.ts";
import { activation, chosenType, expectShapes, hasShape, optional, rankOf, typeOf, weight } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const linear = defineOp({
  inputs: [activation("x"), weight("w"), optional(activation("bias")), optional(activation("residual"))],
  outputs: ["y"],
  params: { activation: 0 },
  infer: ([x, w, bias, residual], params, as) => {
    const [m, n] = [x!.shape[0]!, w!.shape[0]!];
    const fits = rankOf(x!) === 2 && hasShape(w!, n, x!.shape[1]!) && hasShape(bias ?? null, n) && hasShape(residual ?? null, m, n);
    expectShapes("linear", fits, "x [M, K], w [N, K], bias [N], residual [M, N]", [x!, w!, bias ?? null, residual ?? null]);
    const kind = params["activation"]!;
    if (activations[kind] === undefined) throw new StarboxError("tensor_invalid", `linear: expected an activation from 0 to 4, got ${kind}.`);
    return [{ dtype: chosenType("linear", as, x!.dtype), shape: [m, n] }];
  },
  gradient: ({ inputs: [x, w, bias, residual], params, upstream: [dy], wants, apply }) => {
    const kind = activationOps[params["activation"]!] ?? null;
    const inside = wants[0] || wants[1] || wants[2];
    const before = kind !== null && inside ? apply("linear", [x!, w!, bias ?? null, null]) : null; // recomputed: the value before the activation is not kept
    const dz = before === null ? dy! : apply(`${kind}Backward`, [dy!, before]);
    return [
      wants[0] ? apply("linearDx", [dz, w!, null], {}, typeOf(x!)) : null,
      wants[1] ? apply("linearDw", [dz, x!, null], {}, { as: "f32" }) : null,
      wants[2] ? apply("sumRows", [dz]) : null,
      residual == null ? null : dy!,
    ];
  },
  reference: ([x, w, bias, residual], params) => {
    const [m, k] = x!.shape as [number, number];
    const n = w!.shape[0]!;
    const f = activations[params["activation"]!]!;
    return [timesTransposed(x!.values, w!.values, m, n, k).map((v, i) => f(v + (bias?.values[i % n] ?? 0)) + (residual?.values[i] ?? 0))];
  },
  cost: (inputs, outputs) => ({ operations: 2 * elementCount(inputs[0]!.shape) * inputs[1]!.shape[0]!, bytes: bytesOf(inputs, outputs) }),
  samples: [
    { label: "remainders", inputs: [f32(7, 37), trained("f32", 19, 37), null, null] },
    { label: "one row", inputs: [f32(1, 33), trained("f32", 5, 33), f32(5), null] },
    { label: "relu, residual", inputs: [f32(5, 12), trained("f32", 9, 12), f32(9), f32(5, 9)], params: { activation: 1 } },
    { label: "gelu", inputs: [f32(5, 12), trained("f32", 9, 12), f32(9), null], params: { activation: 2 } },
    { label: "geluTanh", inputs: [f32(3, 12), trained("f32", 9, 12), null, null], params: { activation: 3 } },
    { label: "silu, bias and residual", inputs: [f32(3, 12), trained("f32", 9, 12), f32(9), f32(3, 9)], params: { activation: 4 } },
    { label: "no rows", inputs: [f32(0, 8), trained("f32", 4, 8), null, null] },
    { label: "no columns of w", inputs: [f32(3, 8), trained("f32", 0, 8), null, null] },
    { label: "nothing to sum", inputs: [f32(3, 0), trained("f32", 4, 0), f32(4), null] },
    { label: "larger than a tile", inputs: [f32(67, 300), trained("f32", 130, 300), f32(130), null], checkGradient: false },
    // Shapes of several blocks in every direction, none of them whole.
    ...[
      [600, 100, 700],
      [530, 600, 610],
      [700, 90, 900],
    ].map(([m, k, n]) => ({ label: `blocks ${m}×${k}×${n}`, inputs: [f32(m!, k!), trained("f32", n!, k!), null, null], checkGradient: false })),
    { label: "bf16 larger than a tile", inputs: [bf16(67, 300), trained("bf16", 130, 300), bf16(130), bf16(67, 130)] },
    { label: "bf16 activations, f32 weight and result", inputs: [bf16(9, 40), trained("f32", 21, 40), null, null], as: "f32" },
    {
      label: "NaN in a row stays in it",
      inputs: [{ dtype: "f32", shape: [3, 2], fill: { values: [1, 2, Number.NaN, 1, 3, 4] } }, trained("f32", 5, 2), null, null],
      checkGradient: false,
    },
    ...byWeightType((type) => [
      { label: `${type}, a batch`, inputs: [f32(9, 512), trained(type, 35, 512), null, null] },
      { label: `${type}, one bf16 row`, inputs: [bf16(1, 512), trained(type, 67, 512), null, null] },
      { label: `${type}, bf16 batch with bias and residual`, inputs: [bf16(33, 256), trained(type, 48, 256), f32(48), bf16(33, 48)] },
    ]),
  ],
});
