/** @file y = ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))): the approximation Gemma and GPT-2 use, elementwise. */
import { unary } from "./shared.ts";
import { geluTanh as f } from "./shared-math.ts";

export const geluTanh = unary("geluTanh", {
  f,
  gradient: ({ dy, x, apply }) => apply("geluTanhBackward", [dy, x]),
  operations: 12,
});
