/** @file One compiled program on a ggml chip: its graph, memory and running it. */
import { StarboxError } from "#base";
import { specBytes, type TensorSpec } from "../../dtype.ts";
import type { Program } from "../../graph/program.ts";
import { type DeviceTensor, type Executable, type MemoryNeed, type RunOptions, type TensorData, typedView } from "../backend.ts";
import { writeChecked } from "../write-checked.ts";
import { type GgmlHost, GgmlTensor, newTensor } from "./ggml-tensor.ts";
import { ggmlTranslations } from "./kernels.ts";
import type { Pointer } from "./native.ts";
import { Scope } from "./scope.ts";

type Derived = {
  readonly tensor: Pointer;
  readonly spec: TensorSpec;
  readonly from: readonly string[];
  readonly make: (data: readonly TensorData[]) => TensorData;
};

export class GgmlExecutable implements Executable {
  readonly program: Program;
  readonly memory: MemoryNeed;
  readonly #device: GgmlHost;
  readonly #ctx: Pointer;
  readonly #inputCtx: Pointer;
  readonly #inputBuffer: Pointer;
  readonly #allocator: Pointer;
  readonly #graph: Pointer;
  readonly #inputs = new Map<string, { readonly tensor: Pointer; readonly spec: TensorSpec }>();
  readonly #derived: Derived[] = [];
  readonly #outputs = new Map<string, { readonly tensor: Pointer; readonly spec: TensorSpec }>();
  #disposed = false;

  constructor(device: GgmlHost, program: Program, parameters: Readonly<Record<string, DeviceTensor>>) {
    const { g } = device;
    this.#device = device;
    this.program = program;
    this.#ctx = g.init(g.tensorOverhead() * (program.nodes.length * 24 + program.values.size + 64) + g.graphOverhead());
    // Inputs and what is derived from them have a buffer of their own: the graph's memory is reused while it runs.
    this.#inputCtx = g.init(g.tensorOverhead() * (program.values.size + program.nodes.length * 4 + 64));
    const pointers = new Map<number, Pointer>();
    for (const { id, kind, name, spec } of program.values.values()) {
      if (kind === "result") continue;
      if (kind === "input") {
        const tensor = newTensor(g, this.#inputCtx, spec);
        pointers.set(id, tensor);
        this.#inputs.set(name!, { tensor, spec });
      } else {
        const tensor = parameters[name!];
        if (!(tensor instanceof GgmlTensor))
          throw new StarboxError("tensor_invalid", `The parameter "${name}" was not given, or lives on another device.`);
        pointers.set(id, tensor.pointer);
      }
    }
    this.#graph = g.newGraph(this.#ctx);
    for (const node of program.nodes) {
      const entry = ggmlTranslations[node.op];
      if ("unsupported" in entry) throw new StarboxError("device_unsupported", `ggml: ${node.op}: ${entry.unsupported}.`);
      const scope = new Scope({
        g,
        ctx: this.#ctx,
        inputs: node.inputs.map((id) => (id === null ? null : pointers.get(id)!)),
        inputSpecs: node.inputs.map((id) => (id === null ? null : program.values.get(id)!.spec)),
        outputSpecs: node.outputs.map((id) => program.values.get(id)!.spec),
        params: node.params,
        derive: (spec, from, make) => {
          const tensor = newTensor(g, this.#inputCtx, spec);
          this.#derived.push({ tensor, spec, make, from: from.map((i) => program.values.get(node.inputs[i]!)!.name!) });
          return tensor;
        },
      });
      entry.build(scope).forEach((result, i) => {
        if (result === null) return;
        pointers.set(node.outputs[i]!, result);
        g.expand(this.#graph, result);
      });
    }
    for (const [name, id] of program.outputs) {
      const { spec } = program.values.get(id)!;
      const tensor = pointers.get(id)!;
      g.setOutput(tensor);
      g.expand(this.#graph, tensor);
      this.#outputs.set(name, { tensor, spec });
    }
    this.#inputBuffer = this.#inputs.size + this.#derived.length === 0 ? 0 : g.allocTensors(this.#inputCtx, device.backend);
    this.#allocator = g.allocatorNew(g.defaultBuffer(device.backend));
    if (!g.allocateGraph(this.#allocator, this.#graph)) throw new StarboxError("memory_exceeded", "ggml: no memory for this program.");
    const inputBytes = [...this.#inputs.values(), ...this.#derived].reduce((sum, { spec }) => sum + specBytes(spec), 0);
    this.memory = { arenaBytes: Number(g.allocatorBytes(this.#allocator, 0)), scratchBytes: 0, inputBytes, packedBytes: 0 };
  }

  run(options: RunOptions = {}): Promise<Readonly<Record<string, TensorData>>> {
    return this.#device.inTurn(() => this.#run(options));
  }

  async #run({ inputs = {}, signal, timing, discard }: RunOptions): Promise<Readonly<Record<string, TensorData>>> {
    if (this.#disposed) throw new StarboxError("disposed", "This executable was used after dispose().");
    if (signal?.aborted) throw new StarboxError("cancelled", "The run was cancelled.");
    const { g, backend } = this.#device;
    const put = (name: string, tensor: Pointer, spec: TensorSpec, data: TensorData): void => {
      const bytes = new ArrayBuffer(specBytes(spec));
      writeChecked(name, spec, data, bytes);
      g.set(tensor, new Uint8Array(bytes), 0, bytes.byteLength);
    };
    for (const name of Object.keys(inputs)) if (!this.#inputs.has(name)) throw new StarboxError("tensor_invalid", `There is no input "${name}".`);
    for (const [name, { tensor, spec }] of this.#inputs) {
      const data = inputs[name];
      if (data === undefined) throw new StarboxError("tensor_invalid", `The input "${name}" is missing.`);
      put(name, tensor, spec, data);
    }
    for (const { tensor, spec, from, make } of this.#derived) put("derived", tensor, spec, make(from.map((name) => inputs[name]!)));
    const since = performance.now();
    const status = await g.compute(backend, this.#graph);
    if (status !== 0) throw new StarboxError("native_failed", `ggml: the graph ended with status ${status}.`);
    // ggml runs the graph as a whole: its time is told for the last node.
    const last = this.program.nodes.at(-1);
    if (timing !== undefined && last !== undefined) timing(last, (performance.now() - since) / 1000);
    if (discard) return {};
    return Object.fromEntries(
      [...this.#outputs].map(([name, { tensor, spec }]) => {
        const bytes = new ArrayBuffer(specBytes(spec));
        g.get(tensor, new Uint8Array(bytes), 0, bytes.byteLength);
        return [name, typedView(spec.dtype, bytes)];
      }),
    );
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { g } = this.#device;
    g.allocatorFree(this.#allocator);
    if (this.#inputBuffer !== 0) g.bufferFree(this.#inputBuffer);
    g.free(this.#inputCtx);
    g.free(this.#ctx);
  }
}
