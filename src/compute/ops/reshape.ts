/** @file x seen with another shape of as many elements. No kernel runs: the memory is the same. */
import { elementCount, weightTypes } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { paramsOfShape, shapeOf, shapeParams } from "./shared.ts";
import { expectShapes } from "./shared-operands.ts";
import { bf16, f32, list } from "./shared-samples.ts";

export const reshape = defineOp({
  inputs: [{ name: "x", dtypes: [...weightTypes, "i32"] }],
  outputs: ["y"],
  params: shapeParams,
  infer: ([x], params) => {
    const shape = shapeOf("reshape", params);
    expectShapes("reshape", elementCount(shape) === elementCount(x!.shape), `as many elements as [${shape.join(", ")}] has`, [x!]);
    return [{ dtype: x!.dtype, shape }];
  },
  gradient: ({ inputs: [x], upstream: [dy], apply }) => [apply("reshape", [dy!], paramsOfShape(x!.spec.shape))],
  reference: ([x]) => [x!.values.slice()],
  cost: () => ({ operations: 0, bytes: 0 }),
  samples: [
    { label: "heads", inputs: [f32(5, 12)], params: paramsOfShape([5, 3, 4]) },
    { label: "flat", inputs: [bf16(2, 3, 4)], params: paramsOfShape([24]) },
    { label: "whole numbers", inputs: [list(1, 2, 3, 4)], params: paramsOfShape([2, 2]) },
    { label: "empty", inputs: [f32(0, 6)], params: paramsOfShape([0, 2, 3]) },
  ],
  view: true,
});
