/** @file y = x · sigmoid(x). (Elfwing et al., "Sigmoid-weighted linear units", 2018.) */
import { unary } from "./shared.ts";
import { silu as f } from "./shared-math.ts";

export const silu = unary("silu", {
  f,
  gradient: ({ dy, x, apply }) => apply("siluBackward", [dy, x]),
  operations: 6,
});
