/** @file The ggml device against the reference: another implementation of the same operators, in a file of its own because its mistakes end the process. */
import { GgmlDevice } from "../../src/compute/backends/ggml/ggml-device.ts";
import { conformance } from "./ops/suite.ts";

conformance({ name: "ggml", open: async () => new GgmlDevice({ threads: 2 }), atLeast: [100, 50] });
