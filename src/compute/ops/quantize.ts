/** @file The rows of x in ggml's blocks, with the rounding of ggml's reference functions, bit for bit. The type is asked for with `as`. */
import { StarboxError } from "#base";
import { dtypes, elementCount, quantizedTypes } from "../dtype.ts";
import { defineOp, type Samples } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { activation, chosenType, expectShapes, rankOf } from "./shared-operands.ts";
import { bf16, f32, repeated } from "./shared-samples.ts";

export const quantize = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: ([x], _params, as) => {
    if (as === undefined)
      throw new StarboxError("tensor_invalid", "quantize: expected the type to quantise to, got none.", {
        hint: `Pass { as: "${quantizedTypes[0]}" }.`,
      });
    const dtype = chosenType("quantize", as, as, quantizedTypes);
    const fits = rankOf(x!) === 2 && x!.shape[1]! % dtypes[dtype].block === 0;
    expectShapes("quantize", fits, `x [N, K] with K a multiple of ${dtypes[dtype].block}`, [x!]);
    return [{ dtype, shape: x!.shape }];
  },
  gradient: { none: "rounding has no useful gradient" },
  reference: ([x]) => [x!.values.slice()], // storing the result in its type is the operator
  cost: (inputs, outputs) => ({ operations: 10 * elementCount(inputs[0]!.shape), bytes: bytesOf(inputs, outputs) }),
  samples: quantizedTypes.flatMap((type) => [
    { label: `${type}, three rows`, inputs: [f32(3, 512)], as: type },
    { label: `${type}, zeros and one peak`, inputs: [repeated("f32", [1, 256], [...Array(200).fill(0), 3.75])], as: type },
    { label: `${type} of bf16`, inputs: [bf16(2, 256)], as: type },
    { label: `${type}, no rows`, inputs: [f32(0, 256)], as: type },
  ]) as unknown as Samples,
});
