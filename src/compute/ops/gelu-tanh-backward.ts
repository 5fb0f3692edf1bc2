/** @file dx = dy · d/dx geluTanh(x), the gradient of gelu-tanh. */
import { unaryBackward } from "./shared.ts";
import { geluTanhSlope } from "./shared-math.ts";

export const geluTanhBackward = unaryBackward("geluTanhBackward", geluTanhSlope, 20);
