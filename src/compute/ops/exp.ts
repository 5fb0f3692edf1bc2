/** @file y = e^x, elementwise. */
import { unary } from "./shared.ts";

export const exp = unary("exp", {
  f: Math.exp,
  gradient: ({ dy, y, apply }) => apply("mul", [dy, y]),
  operations: 4,
});
