/** @file dx = dy · (Φ(x) + x φ(x)), the gradient of gelu. */
import { unaryBackward } from "./shared.ts";
import { geluSlope } from "./shared-math.ts";

export const geluBackward = unaryBackward("geluBackward", geluSlope, 18);
