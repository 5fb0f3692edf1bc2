/** @file y = tanh x, elementwise. */
import { unary } from "./shared.ts";

export const tanh = unary("tanh", {
  f: Math.tanh,
  gradient: ({ dy, y, apply }) => apply("sub", [dy, apply("mul", [dy, apply("square", [y])])]),
  operations: 6,
});
