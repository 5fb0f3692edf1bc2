/** @file y = factor · x + offset. */
import { defineOp } from "../op.ts";
import { elementwiseCost, elementwiseSamples, sameAs } from "./shared.ts";
import { activation, typeOf } from "./shared-operands.ts";
import { f32 } from "./shared-samples.ts";

export const scale = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  params: { factor: 1, offset: 0 },
  infer: sameAs("scale", 0),
  gradient: ({ inputs: [x], params, upstream: [dy], apply }) => [apply("scale", [dy!], { factor: params["factor"]!, offset: 0 }, typeOf(x!))],
  reference: ([x], params) => [x!.values.map((v) => params["factor"]! * v + params["offset"]!)],
  cost: elementwiseCost(2),
  samples: [
    ...elementwiseSamples(1, { params: { factor: -1.75, offset: 0.5 } }),
    { label: "no offset", inputs: [f32(5, 37)], params: { factor: 3 } },
  ],
  mayOverwrite: [0],
});
