/** @file One program of a case's nodes on one device, ready to be timed. */
import type { Device, MemoryNeed, TensorData } from "../backends/backend.ts";
import { elementCount } from "../dtype.ts";
import { Graph } from "../graph/graph.ts";
import { ops } from "../ops/index.ts";
import type { BenchNode } from "./case.ts";
import { benchData } from "./fill.ts";

export class Contender implements Disposable {
  readonly #executable: ReturnType<Device["compile"]>;
  readonly #tensors: Disposable[] = [];
  readonly #inputs: Record<string, TensorData> = {};

  constructor(device: Device, nodes: readonly BenchNode[], int8: boolean) {
    const graph = new Graph();
    const parameters: Record<string, ReturnType<Device["tensor"]>> = {};
    const shared = new Map<string, ReturnType<Graph["input"]>>();
    let seed = 1;
    nodes.forEach((node, n) => {
      const inPlace = Object.values(ops[node.op].inPlace ?? {});
      const values = node.inputs.map((input, i) => {
        if (input === null) return null;
        // Activations beside weights are shared by shape, as layers share them; all else is each node's own, or equal nodes would become one.
        const own = node.weights === undefined || node.weights.includes(i) || inPlace.includes(i);
        const key = own ? `${n}.${i}` : JSON.stringify(input);
        const known = shared.get(key);
        if (known !== undefined) return known;
        const data = benchData(input, seed++);
        const name = `t${shared.size}`;
        // Indices and settings are inputs, as a device may need their values on the host; all else lives on the device.
        const small = input.dtype === "i32" || elementCount(input.shape) < 16;
        if (small) this.#inputs[name] = data;
        else {
          const tensor = device.tensor(name, { dtype: input.dtype, shape: input.shape }, data);
          this.#tensors.push(tensor);
          parameters[name] = tensor;
        }
        const value = small ? graph.input(name, input.dtype, input.shape) : graph.parameter(name, input.dtype, input.shape);
        shared.set(key, value);
        return value;
      });
      graph.output(`y${n}`, graph.apply(node.op, values, node.params, node.as === undefined ? {} : { as: node.as }));
    });
    try {
      this.#executable = device.compile(graph.build(), { parameters, int8 });
    } catch (error) {
      for (const tensor of this.#tensors) tensor[Symbol.dispose]();
      throw error;
    }
  }

  get memory(): MemoryNeed {
    return this.#executable.memory;
  }

  async seconds(signal: AbortSignal): Promise<number> {
    let total = 0;
    const timing = (_node: unknown, seconds: number): void => {
      total += seconds;
    };
    await this.#executable.run({ inputs: this.#inputs, signal, timing, discard: true });
    return total;
  }

  [Symbol.dispose](): void {
    this.#executable[Symbol.dispose]();
    for (const tensor of this.#tensors) tensor[Symbol.dispose]();
  }
}
