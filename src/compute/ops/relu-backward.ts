/** @file dx = dy where x > 0, else 0; the gradient of relu. */
import { unaryBackward } from "./shared.ts";

export const reluBackward = unaryBackward("reluBackward", (x) => (x > 0 ? 1 : 0), 1);
