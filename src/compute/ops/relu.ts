/** @file y = max(x, 0); NaN stays NaN, elementwise. */
import { unary } from "./shared.ts";

export const relu = unary("relu", {
  f: (x) => Math.max(x, 0),
  gradient: ({ dy, x, apply }) => apply("reluBackward", [dy, x]),
  operations: 1,
});
