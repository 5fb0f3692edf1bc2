/** @file y = 1 / (1 + e^−x), elementwise. */
import { unary } from "./shared.ts";
import { sigmoid as f } from "./shared-math.ts";

export const sigmoid = unary("sigmoid", {
  f,
  gradient: ({ dy, y, apply }) => apply("mul", [dy, apply("sub", [y, apply("square", [y])])]),
  operations: 6,
});
