/** @file y = the values of w's blocks, exactly as ggml computes them in f32. */
import { elementCount, quantizedTypes, weightTypes } from "../dtype.ts";
import { defineOp, type Samples } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { chosenType, expectShapes, rankOf } from "./shared-operands.ts";
import { tensor } from "./shared-samples.ts";

export const dequantize = defineOp({
  inputs: [{ name: "w", dtypes: weightTypes, constant: true }],
  outputs: ["y"],
  infer: ([w], _params, as) => {
    expectShapes("dequantize", rankOf(w!) === 2, "w [N, K]", [w!]);
    return [{ dtype: chosenType("dequantize", as, "f32"), shape: w!.shape }];
  },
  gradient: { none: "quantised weights are not trained" },
  reference: ([w]) => [w!.values.slice()],
  cost: (inputs, outputs) => ({ operations: 2 * elementCount(inputs[0]!.shape), bytes: bytesOf(inputs, outputs) }),
  samples: [
    { label: "f32", inputs: [tensor("f32", [3, 37])] },
    { label: "f16", inputs: [tensor("f16", [3, 37])] },
    { label: "bf16", inputs: [tensor("bf16", [3, 37])] },
    ...quantizedTypes.flatMap((type) => [
      { label: type, inputs: [tensor(type, [3, 512])] },
      { label: `${type} to bf16`, inputs: [tensor(type, [1, 256])], as: "bf16" as const },
      { label: `${type}, no rows`, inputs: [tensor(type, [0, 256])] },
    ]),
  ] as unknown as Samples,
});
