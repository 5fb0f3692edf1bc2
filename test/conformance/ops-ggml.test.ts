/** @file The ggml device against the reference: another implementation of the same operators, in a file of its own because its mistakes end the process. */
import { GgmlDevice } from "../../src/compute/backends/ggml/ggml-device.ts";
import { conformance } from "./ops/suite.ts";

const angles = "ggml multiplies the angle up from pair to pair in f32, and its sine of large angles is f32's";

conformance({
  name: "ggml",
  open: async () => new GgmlDevice({ threads: 2 }),
  atLeast: [100, 50],
  differs: {
    "relu, NaN, infinities, extremes": "ggml's relu turns NaN into 0",
    "reluBackward, NaN, infinities, extremes": "ggml multiplies by the step, and NaN times 0 is NaN",
    "rope, interleaved": angles,
    "rope, far positions": angles,
    "rope, many tokens": angles,
  },
});
