/** @file y = x², elementwise. */
import { unary } from "./shared.ts";

export const square = unary("square", {
  f: (x) => x * x,
  gradient: ({ dy, x, apply }) => apply("mul", [apply("scale", [dy], { factor: 2 }), x]),
  operations: 1,
});
