/** @file dtable[id] = scale · Σ of dy[t] over the rows t that asked for id; by table rows, in the order of t, so that the bits never depend on threads. */
import { defineOp } from "../op.ts";
import { bytesOf, expectRange } from "./shared.ts";
import { activation, expectShapes, hasShape, integers, noSecondGradient, rankOf } from "./shared-operands.ts";
import { bf16, f32, integersBelow, list, tensor } from "./shared-samples.ts";

export const embeddingBackward = defineOp({
  inputs: [activation("dy"), integers("ids")],
  outputs: ["dtable"],
  params: { rows: null, scale: 1 },
  infer: ([dy, ids], params) => {
    expectShapes("embeddingBackward", rankOf(dy!) === 2 && hasShape(ids!, dy!.shape[0]!), "dy [T, D] and ids [T]", [dy!, ids!]);
    expectRange("embeddingBackward", "rows", 0, params["rows"]!, 2 ** 31 - 1);
    return [{ dtype: "f32", shape: [params["rows"]!, dy!.shape[1]!] }];
  },
  gradient: noSecondGradient,
  reference: ([dy, ids], params) => {
    const columns = dy!.shape[1]!;
    const table = new Float64Array(params["rows"]! * columns);
    ids!.values.forEach((id, t) => {
      for (let d = 0; d < columns && id >= 0 && id < params["rows"]!; d++)
        table[id * columns + d]! += params["scale"]! * dy!.values[t * columns + d]!;
    });
    return [table];
  },
  cost: (inputs, outputs) => ({ operations: 2 * inputs[0]!.shape[0]! * inputs[0]!.shape[1]!, bytes: bytesOf(inputs, outputs) }),
  samples: [
    { label: "repeated and outside", inputs: [f32(7, 37), list(0, 3, 3, -1, 9, 5, 10)], params: { rows: 10 } },
    { label: "scaled, bf16", inputs: [bf16(7, 33), list(0, 3, 3, 3, 9, 5, 1)], params: { rows: 10, scale: 2.5 } },
    { label: "all the same", inputs: [f32(40, 5), integersBelow(1, 40)], params: { rows: 3 } },
    { label: "no rows asked", inputs: [f32(0, 5), tensor("i32", [0])], params: { rows: 3 } },
    { label: "no table", inputs: [f32(2, 5), list(0, 1)], params: { rows: 0 } },
    { label: "many", inputs: [f32(300, 9), integersBelow(50, 300)], params: { rows: 50 } },
  ],
});
