/** @file y = 1 / x, elementwise. */
import { unary } from "./shared.ts";

export const reciprocal = unary("reciprocal", {
  f: (x) => 1 / x,
  gradient: ({ dy, y, apply }) => apply("neg", [apply("mul", [dy, apply("square", [y])])]),
  operations: 1,
  fill: "positive",
});
