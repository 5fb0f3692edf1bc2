/** @file dgate = dy · up · silu'(gate), dup = dy · silu(gate): the gradient of swiglu. */
import { gatedBackward } from "./shared-gated.ts";
import { silu, siluSlope } from "./shared-math.ts";

export const swigluBackward = gatedBackward("swigluBackward", { f: silu, slope: siluSlope });
