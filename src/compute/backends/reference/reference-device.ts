/** @file The device that defines right: plain TypeScript in float64, slow, everywhere. Results are stored in their types, so they compare with other devices' bit for bit. */
import { StarboxError } from "#base";
import { formatSpec, specBytes, type TensorSpec } from "../../dtype.ts";
import type { Program } from "../../graph/program.ts";
import { opNames } from "../../ops/index.ts";
import {
  type CompileOptions,
  type Device,
  type DeviceTensor,
  type Executable,
  type KernelTable,
  type RunOptions,
  type TensorData,
  typedView,
} from "../backend.ts";
import { changedInPlace, evaluate } from "./evaluate.ts";
import { checkData, loadValues, storeValues } from "./storage.ts";

class ReferenceTensorMemory implements DeviceTensor {
  readonly name: string;
  readonly spec: TensorSpec;
  #data: TensorData | null;

  constructor(name: string, spec: TensorSpec, data?: TensorData) {
    this.name = name;
    this.spec = spec;
    this.#data = typedView(spec.dtype, new ArrayBuffer(specBytes(spec)));
    if (data !== undefined) this.write(data);
  }

  write(data: TensorData): void {
    checkData(this.name, this.spec, data);
    this.#alive();
    this.#data = data.slice();
  }

  read(): TensorData {
    return this.#alive().slice();
  }

  [Symbol.dispose](): void {
    this.#data = null;
  }

  #alive(): TensorData {
    if (this.#data === null) throw new StarboxError("disposed", `Tensor "${this.name}" was used after dispose().`);
    return this.#data;
  }
}

class ReferenceExecutable implements Executable {
  readonly program: Program;
  readonly memory;
  readonly #parameters: Readonly<Record<string, DeviceTensor>>;
  #disposed = false;

  constructor(program: Program, parameters: Readonly<Record<string, DeviceTensor>>) {
    this.program = program;
    this.#parameters = parameters;
    const bytes = (kind: string): number =>
      [...program.values.values()].reduce((sum, value) => sum + (value.kind === kind ? specBytes(value.spec) : 0), 0);
    this.memory = { arenaBytes: bytes("result"), scratchBytes: 0, inputBytes: bytes("input"), packedBytes: 0 };
  }

  async run({ inputs = {}, signal, timing }: RunOptions = {}): Promise<Readonly<Record<string, TensorData>>> {
    if (this.#disposed) throw new StarboxError("disposed", "This executable was used after dispose().");
    const { program } = this;
    const known = new Set([...program.values.values()].filter(({ kind }) => kind === "input").map(({ name }) => name));
    for (const name of Object.keys(inputs))
      if (!known.has(name)) throw new StarboxError("tensor_invalid", `There is no input "${name}"; there are ${[...known].join(", ")}.`);
    const given = new Map<number, Float64Array>();
    const raw = new Map<number, TensorData>();
    for (const { id, kind, name, spec } of program.values.values()) {
      if (kind === "result") continue;
      const data = kind === "input" ? checkData(name!, spec, inputs[name!]) : this.#parameters[name!]!.read();
      raw.set(id, data);
      given.set(id, loadValues(spec, data));
    }
    let started = performance.now();
    const { values, data } = evaluate(program, given, {
      round: true,
      beforeNode: (index) => {
        if (signal?.aborted) throw new StarboxError("cancelled", "The run was cancelled.");
        const now = performance.now();
        if (index > 0) timing?.(program.nodes[index - 1]!, (now - started) / 1000);
        started = now;
      },
    });
    for (const [root, id] of changedInPlace(program)) {
      const { name, kind, spec } = program.values.get(root)!;
      if (kind === "parameter") this.#parameters[name!]!.write(storeValues(spec, values.get(id)!));
    }
    return Object.fromEntries([...program.outputs].map(([name, id]) => [name, (data.get(id) ?? raw.get(id)!).slice()]));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
  }
}

export class ReferenceDevice implements Device {
  readonly name = "reference";
  readonly description = "plain TypeScript in float64";
  readonly kernels: KernelTable = Object.fromEntries(opNames.map((op) => [op, op])) as unknown as KernelTable;

  whyNot(): string | null {
    return null;
  }

  tensor(name: string, spec: TensorSpec, data?: TensorData): DeviceTensor {
    return new ReferenceTensorMemory(name, spec, data);
  }

  compile(program: Program, options: CompileOptions = {}): Executable {
    for (const { kind, name, spec } of program.values.values()) {
      const given = options.parameters?.[name ?? ""];
      if (kind === "parameter" && !(given instanceof ReferenceTensorMemory))
        throw new StarboxError("tensor_invalid", `The parameter "${name}" was not given, or lives on another device.`);
      if (kind === "parameter" && formatSpec(given!.spec) !== formatSpec(spec))
        throw new StarboxError("tensor_invalid", `The parameter "${name}": expected ${formatSpec(spec)}, got ${formatSpec(given!.spec)}.`);
    }
    options.watch?.("as built", program);
    return new ReferenceExecutable(program, options.parameters ?? {});
  }

  [Symbol.dispose](): void {}
}
