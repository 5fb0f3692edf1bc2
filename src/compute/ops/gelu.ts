/** @file y = x · Φ(x), with the error function. (Hendrycks and Gimpel, "Gaussian error linear units", 2016.) */
import { unary } from "./shared.ts";
import { gelu as f } from "./shared-math.ts";

export const gelu = unary("gelu", {
  f,
  gradient: ({ dy, x, apply }) => apply("geluBackward", [dy, x]),
  operations: 12,
});
