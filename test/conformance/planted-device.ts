/** @file A device with one planted fault in one layer of a model: wraps a real one, exists only in tests. Faults change the program before the device sees it, or its numbers after. */
import type { Device, Executable, TensorData } from "../../src/compute/backends/backend.ts";
import type { Node, Program } from "../../src/compute/graph/program.ts";
import type { OpName } from "../../src/compute/ops/index.ts";

export type Fault = {
  readonly name: string;
  /** The operator that verification must name; null: only the layer (the fault is not inside one operator). */
  readonly op: OpName | null;
  /** Changes nodes of the faulty layer. */
  readonly program?: (program: Program) => Program;
  /** Changes a result's numbers, by the node that makes it. */
  readonly numbers?: (node: Node, values: Float32Array, read: (id: number) => Float32Array | null) => void;
  /** Changes a weight's numbers on their way to the device. */
  readonly weight?: (name: string, data: TensorData) => TensorData;
};

const isFaulty = (program: Program, layer: string): boolean => [...program.values.values()].some(({ name }) => name?.startsWith(layer) === true);

/** `layer`: "blk.1." and so on: programs that read a weight of that name are faulty. */
export function plantFault(device: Device, fault: Fault, layer: string): Device {
  return {
    name: device.name,
    description: `${device.description}, with a planted fault`,
    kernels: device.kernels,
    whyNot: (program, node) => device.whyNot(program, node),
    ...(device.rounding === undefined ? {} : { rounding: device.rounding.bind(device) }),
    tensor: (name, spec, data) =>
      device.tensor(name, spec, data !== undefined && fault.weight !== undefined && name.startsWith(layer) ? fault.weight(name, data) : data),
    compile(program, options): Executable {
      const faulty = isFaulty(program, layer);
      const changed = faulty && fault.program !== undefined ? fault.program(program) : program;
      if (!faulty || fault.numbers === undefined) return device.compile(changed, options);
      // Every value must be seen, so that what follows can be computed anew from changed numbers: this is the plan's own order.
      const made = changed.nodes.flatMap((node) => node.outputs);
      const open = { ...changed, outputs: new Map([...changed.outputs, ...made.map((id) => [`seen ${id}`, id] as const)]) };
      const inner = device.compile(open, { ...options, optimize: false });
      return {
        program: inner.program,
        memory: inner.memory,
        async run(runOptions) {
          const results = { ...(await inner.run(runOptions)) };
          const read = (id: number): Float32Array | null => (results[`seen ${id}`] as Float32Array | undefined) ?? null;
          for (const node of changed.nodes) {
            for (const id of node.outputs) {
              const values = read(id);
              if (!(values instanceof Float32Array)) continue;
              fault.numbers!(node, values, read);
              for (const [name, output] of changed.outputs) if (output === id) results[name] = values.slice();
            }
          }
          return Object.fromEntries([...changed.outputs.keys()].map((name) => [name, results[name]!]));
        },
        [Symbol.dispose]: () => inner[Symbol.dispose](),
      };
    },
    [Symbol.dispose]() {},
  };
}

/** The first node of that name, changed. */
export function changeNode(op: OpName, change: (node: Node) => Node, which = 0): (program: Program) => Program {
  return (program) => {
    let seen = -1;
    return { ...program, nodes: program.nodes.map((node) => (node.op === op && ++seen === which ? change(node) : node)) };
  };
}

export const withParams =
  (params: Readonly<Record<string, number>>) =>
  (node: Node): Node => ({ ...node, params: { ...node.params, ...params } });
