/** @file dx = dy · σ(x) · (1 + x · (1 − σ(x))), the gradient of silu. */
import { unaryBackward } from "./shared.ts";
import { siluSlope } from "./shared-math.ts";

export const siluBackward = unaryBackward("siluBackward", siluSlope, 9);
