/** @file y = geluTanh(gate) · up: Gemma's feed-forward gate. */
import { gated } from "./shared-gated.ts";
import { geluTanh, geluTanhSlope } from "./shared-math.ts";

export const geglu = gated("geglu", { f: geluTanh, slope: geluTanhSlope });
