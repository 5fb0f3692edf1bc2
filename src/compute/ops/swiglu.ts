/** @file y = silu(gate) · up. (Shazeer, "GLU variants improve transformer", 2020.) */
import { gated } from "./shared-gated.ts";
import { silu, siluSlope } from "./shared-math.ts";

export const swiglu = gated("swiglu", { f: silu, slope: siluSlope });
