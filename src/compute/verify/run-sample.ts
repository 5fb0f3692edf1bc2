/** @file Runs a sample's program on a device. */
import type { CompileOptions, Device, DeviceTensor, TensorData } from "../backends/backend.ts";
import type { SampleProgram } from "./sample-program.ts";

/** Why the device cannot run this program: its first node that it refuses. Every node is asked, gradients' too. */
export function whyNot(device: Device, { program }: SampleProgram): string | null {
  for (const node of program.nodes) {
    const kernel = device.kernels[node.op];
    const why = typeof kernel === "string" ? device.whyNot(program, node) : kernel.unsupported;
    if (why !== null) return `${node.op}: ${why}`;
  }
  return null;
}

export async function runSample(
  device: Device,
  sample: SampleProgram,
  options: Omit<CompileOptions, "parameters"> = {},
): Promise<Readonly<Record<string, TensorData>>> {
  const parameters: Record<string, DeviceTensor> = {};
  const inputs = { ...sample.data };
  try {
    for (const name of sample.parameters) {
      parameters[name] = device.tensor(name, sample.specs[name]!, sample.data[name]!);
      delete inputs[name];
    }
    using executable = device.compile(sample.program, { ...options, parameters });
    return await executable.run({ inputs });
  } finally {
    for (const tensor of Object.values(parameters)) tensor[Symbol.dispose]();
  }
}
