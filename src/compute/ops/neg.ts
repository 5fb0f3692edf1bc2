/** @file y = −x, elementwise. */
import { unary } from "./shared.ts";

export const neg = unary("neg", {
  f: (x) => -x,
  gradient: ({ dy, apply }) => apply("neg", [dy]),
  operations: 1,
});
