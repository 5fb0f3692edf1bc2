/**
 * @file Where a new device begins: copy this folder, rename, and replace the four places marked CHIP with your chip's calls. As it stands its memory is plain arrays and it runs
 * four operators in f32, so that it passes the conformance suite from the first minute. Not a device of the box: only test/conformance/ops-template.test.ts opens it.
 */
import { StarboxError } from "#base";
import { formatSpec, specBytes, type TensorSpec } from "../../dtype.ts";
import { checkProgram } from "../../graph/check.ts";
import { removeDead } from "../../graph/passes/remove-dead.ts";
import { printNode } from "../../graph/print.ts";
import type { Node, Program } from "../../graph/program.ts";
import { opNames } from "../../ops/index.ts";
import {
  type CompileOptions,
  type Device,
  type DeviceTensor,
  type Executable,
  type KernelTable,
  type MemoryNeed,
  type RunOptions,
  type TensorData,
  typedView,
} from "../backend.ts";
import { writeChecked } from "../write-checked.ts";

type Kernel = (inputs: readonly Float32Array[], output: Float32Array) => void;
const each =
  (f: (a: number, b: number) => number): Kernel =>
  ([a, b], y) => {
    for (let i = 0; i < y.length; i++) y[i] = f(a![i]!, b?.[i] ?? 0);
  };

/** CHIP: by kernel name. Each gets its operands' memory and writes its result. */
const kernels: Readonly<Record<string, Kernel>> = {
  neg: each((a) => -a),
  add: each((a, b) => a + b),
  sub: each((a, b) => a - b),
  mul: each((a, b) => a * b),
};

/** Once most are written, list every operator by name instead: from then on a new operator does not compile until this device says what it does with it. */
const table = Object.fromEntries(opNames.map((op) => [op, op in kernels ? op : { unsupported: "not written yet" }])) as KernelTable;

class TemplateTensor implements DeviceTensor {
  readonly name: string;
  readonly spec: TensorSpec;
  #memory: ArrayBuffer | null;

  constructor(name: string, spec: TensorSpec, data?: TensorData) {
    this.name = name;
    this.spec = spec;
    this.#memory = new ArrayBuffer(specBytes(spec)); // CHIP: allocate; throw memory_exceeded when there is none
    if (data !== undefined) this.write(data);
  }

  get memory(): ArrayBuffer {
    if (this.#memory === null) throw new StarboxError("disposed", `Tensor "${this.name}" was used after dispose().`);
    return this.#memory;
  }

  write(data: TensorData): void {
    writeChecked(this.name, this.spec, data, this.memory); // CHIP: copy to the device
  }

  read(): TensorData {
    return typedView(this.spec.dtype, this.memory.slice(0)); // CHIP: copy back
  }

  [Symbol.dispose](): void {
    this.#memory = null;
  }
}

class TemplateExecutable implements Executable {
  readonly program: Program;
  readonly memory: MemoryNeed;
  readonly #values = new Map<number, ArrayBuffer>();
  #disposed = false;

  constructor(program: Program, parameters: Readonly<Record<string, DeviceTensor>>) {
    checkProgram(program);
    this.program = program;
    // Every value in memory of its own; `planMemory` (src/compute/memory) puts them into one arena.
    const bytes = { input: 0, parameter: 0, result: 0 };
    for (const { id, kind, name, spec } of program.values.values()) {
      bytes[kind] += specBytes(spec);
      if (kind !== "parameter") this.#values.set(id, new ArrayBuffer(specBytes(spec)));
      else this.#values.set(id, borrow(name!, spec, parameters[name!]).memory);
    }
    this.memory = { arenaBytes: bytes.result, scratchBytes: 0, inputBytes: bytes.input, packedBytes: 0 };
  }

  async run({ inputs = {}, signal, timing, discard }: RunOptions = {}): Promise<Readonly<Record<string, TensorData>>> {
    if (this.#disposed) throw new StarboxError("disposed", "This executable was used after dispose().");
    const { values, nodes, outputs } = this.program;
    for (const { id, kind, name, spec } of values.values()) {
      if (kind !== "input") continue;
      const data = inputs[name!];
      if (data === undefined) throw new StarboxError("tensor_invalid", `The input "${name}" is missing.`);
      writeChecked(name!, spec, data, this.#values.get(id)!);
    }
    const floats = (id: number): Float32Array => new Float32Array(this.#values.get(id)!);
    for (const node of nodes) {
      if (signal?.aborted) throw new StarboxError("cancelled", "The run was cancelled.");
      const since = performance.now();
      kernels[node.op]!(
        node.inputs.map((id) => floats(id!)),
        floats(node.outputs[0]!),
      );
      timing?.(node, (performance.now() - since) / 1000);
    }
    if (discard) return {};
    return Object.fromEntries([...outputs].map(([name, id]) => [name, typedView(values.get(id)!.spec.dtype, this.#values.get(id)!.slice(0))]));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
  }
}

function borrow(name: string, spec: TensorSpec, tensor: DeviceTensor | undefined): TemplateTensor {
  if (!(tensor instanceof TemplateTensor))
    throw new StarboxError("tensor_invalid", `The parameter "${name}" was not given, or lives on another device.`);
  if (formatSpec(tensor.spec) !== formatSpec(spec))
    throw new StarboxError("tensor_invalid", `The parameter "${name}": expected ${formatSpec(spec)}, got ${formatSpec(tensor.spec)}.`);
  return tensor;
}

export class TemplateDevice implements Device {
  readonly name = "template";
  readonly description = "a device to begin with";
  readonly kernels = table;

  /** Types and shapes this device cannot take, in words. Asked before anything is loaded. */
  whyNot(program: Program, node: Node): string | null {
    const entry = table[node.op];
    if (typeof entry !== "string") return entry.unsupported;
    const wrong = [...node.inputs, ...node.outputs]
      .flatMap((id) => (id === null ? [] : [program.values.get(id)!.spec]))
      .find(({ dtype }) => dtype !== "f32");
    return wrong === undefined ? null : `it computes in f32 only, not in ${wrong.dtype}`;
  }

  tensor(name: string, spec: TensorSpec, data?: TensorData): DeviceTensor {
    return new TemplateTensor(name, spec, data);
  }

  compile(program: Program, options: CompileOptions = {}): Executable {
    const final = removeDead(program);
    options.watch?.("remove dead", final);
    for (const node of final.nodes) {
      const why = this.whyNot(final, node);
      if (why !== null) throw new StarboxError("device_unsupported", `${this.name}: ${printNode(final, node)}: ${why}.`);
    }
    return new TemplateExecutable(final, options.parameters ?? {});
  }

  [Symbol.dispose](): void {}
}
