/** @file The kernels without any vector instructions beyond the architecture's own: what a machine without AVX2 runs. In a file of its own, as the tier holds for the process. */
import { StarboxError } from "#base";
import { CpuDevice } from "../../src/compute/backends/cpu/cpu-device.ts";
import { ensureNative } from "../../src/compute/backends/cpu/library.ts";
import { conformance } from "./ops/suite.ts";

conformance({
  name: "cpu, tier base",
  int8: true,
  open: async () => {
    try {
      return new CpuDevice({ library: await ensureNative(), threads: 2, ...(process.arch === "x64" ? { isa: "base" } : {}) });
    } catch (error) {
      if (StarboxError.is(error, "device_unsupported")) return { missing: error.message };
      throw error;
    }
  },
});
