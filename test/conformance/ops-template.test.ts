/** @file The template of docs/new-device.md passes the suite as it stands: whoever copies it begins from something that is right. The operators it has, and one it refuses. */
import { TemplateDevice } from "../../src/compute/backends/template/template-device.ts";
import { ops } from "../../src/compute/ops/index.ts";
import { conformance } from "./ops/suite.ts";

const begun = new Set(["neg", "add", "sub", "mul", "relu"]);

conformance({
  name: "template",
  open: async () => new TemplateDevice(),
  samplesOf: (op) => (begun.has(op) ? ops[op].samples : []),
  atLeast: [12, 0], // a gradient's program also sums, which is not among them
});
