/** @file dx = dy where x > 0, else 0; the gradient of relu. */
import { defineOp } from "../op.ts";
import { unaryBackward } from "./shared.ts";

export const reluBackward = defineOp({
  ...unaryBackward("reluBackward", (x) => (x > 0 ? 1 : 0), 1),
  reference: ([dy, x]) => [dy!.values.map((d, i) => (x!.values[i]! > 0 ? d : 0))], // not a product: NaN · 0 would be NaN
});
