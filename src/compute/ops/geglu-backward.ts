/** @file dgate = dy · up · geluTanh'(gate), dup = dy · geluTanh(gate): the gradient of geglu. */
import { gatedBackward } from "./shared-gated.ts";
import { geluTanh, geluTanhSlope } from "./shared-math.ts";

export const gegluBackward = gatedBackward("gegluBackward", { f: geluTanh, slope: geluTanhSlope });
