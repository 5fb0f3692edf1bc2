/** @file y = the rows of a, then those of b. */
import { defineOp } from "../op.ts";
import { moveCost } from "./shared.ts";
import { activation, chosenType, expectShapes, hasShape, rankOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const concatRows = defineOp({
  inputs: [activation("a"), activation("b")],
  outputs: ["y"],
  infer: ([a, b], _params, as) => {
    const fits = rankOf(a!) > 0 && hasShape(b!, b!.shape[0]!, ...a!.shape.slice(1));
    expectShapes("concatRows", fits, "a and b alike but for the number of rows", [a!, b!]);
    return [{ dtype: chosenType("concatRows", as, a!.dtype), shape: [a!.shape[0]! + b!.shape[0]!, ...a!.shape.slice(1)] }];
  },
  gradient: ({ inputs: [a, b], upstream: [dy], wants, apply }) => [
    wants[0] ? apply("sliceRows", [dy!], { start: 0, count: a!.spec.shape[0]! }) : null,
    wants[1] ? apply("sliceRows", [dy!], { start: a!.spec.shape[0]!, count: b!.spec.shape[0]! }) : null,
  ],
  reference: ([a, b]) => [Float64Array.from([...a!.values, ...b!.values])],
  cost: moveCost,
  samples: [
    { label: "two matrices", inputs: [f32(3, 5), f32(2, 5)] },
    { label: "one empty", inputs: [f32(0, 5), f32(2, 5)] },
    { label: "rank 3, bf16", inputs: [bf16(2, 2, 3), bf16(1, 2, 3)] },
    { label: "mixed", inputs: [f32(2, 3), bf16(4, 3)] },
  ],
});
