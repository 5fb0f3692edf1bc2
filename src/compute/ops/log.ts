/** @file y = ln x; NaN below 0, −Infinity at 0, elementwise. */
import { unary } from "./shared.ts";

export const log = unary("log", {
  f: Math.log,
  gradient: ({ dy, x, apply }) => apply("div", [dy, x]),
  operations: 4,
  fill: "positive",
});
