/** @file y[t] = scale · table[ids[t]]; a zero row where the id lies outside the table. */
import { quantizedTypes, specBytes, weightTypes } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { chosenType, expectShapes, integers, rankOf } from "./shared-operands.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

const ids = list(0, 3, 3, -1, 9, 5, 10);

export const embedding = defineOp({
  inputs: [{ name: "table", dtypes: weightTypes }, integers("ids")],
  outputs: ["y"],
  params: { scale: 1 },
  infer: ([table, ids], _params, as) => {
    expectShapes("embedding", rankOf(table!) === 2 && rankOf(ids!) === 1, "table [V, D] and ids [T]", [table!, ids!]);
    const fallback = table!.dtype === "bf16" ? "bf16" : "f32";
    return [{ dtype: chosenType("embedding", as, fallback), shape: [ids!.shape[0]!, table!.shape[1]!] }];
  },
  gradient: ({ inputs: [table, ids], params, upstream: [dy], apply }) => [
    apply("embeddingBackward", [dy!, ids!], { rows: table!.spec.shape[0]!, scale: params["scale"]! }),
    null,
  ],
  reference: ([table, ids], params) => {
    const [rows, columns] = table!.shape as [number, number];
    const y = new Float64Array(ids!.values.length * columns);
    ids!.values.forEach((id, t) => {
      for (let d = 0; d < columns && id >= 0 && id < rows; d++) y[t * columns + d] = params["scale"]! * table!.values[id * columns + d]!;
    });
    return [y];
  },
  cost: ([table, ids], outputs) => ({
    operations: outputs[0]!.shape[0]! * outputs[0]!.shape[1]!,
    bytes: specBytes({ dtype: table!.dtype, shape: [ids!.shape[0]!, table!.shape[1]!] }) + bytesOf([ids!], outputs), // the rows asked for, not the table
  }),
  samples: [
    { label: "ids outside the table", inputs: [f32(10, 37), ids] },
    { label: "scaled", inputs: [f32(10, 8), ids], params: { scale: 2.5 } },
    { label: "no ids", inputs: [f32(10, 8), tensor("i32", [0])] },
    { label: "bf16", inputs: [bf16(10, 33), ids] },
    { label: "bf16 to f32", inputs: [bf16(10, 33), ids], as: "f32" },
    { label: "f16", inputs: [tensor("f16", [10, 33]), ids] },
    ...quantizedTypes.map((type) => ({ label: type, inputs: [tensor(type, [10, 512]), ids], params: { scale: 0.5 } })),
    { label: "q4_1 to bf16", inputs: [tensor("q4_1", [10, 64]), ids], as: "bf16" as const },
  ],
});
