/** @file y = √x; NaN below 0, elementwise. */
import { unary } from "./shared.ts";

export const sqrt = unary("sqrt", {
  f: Math.sqrt,
  gradient: ({ dy, y, apply }) => apply("div", [apply("scale", [dy], { factor: 0.5 }), y]),
  operations: 1,
  fill: "positive",
});
