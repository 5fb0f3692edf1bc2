/** @file ggml as a device: how other chips come in. A program becomes one ggml graph; ggml itself is asked whether it takes each node. */
import os from "node:os";
import { StarboxError } from "#base";
import { type DType, dtypes, elementCount, type TensorSpec } from "../../dtype.ts";
import { removeDead } from "../../graph/passes/remove-dead.ts";
import { printNode } from "../../graph/print.ts";
import type { Node, Program } from "../../graph/program.ts";
import type { OpName } from "../../ops/index.ts";
import type { CompileOptions, Device, DeviceTensor, Executable, TensorData } from "../backend.ts";
import { GgmlExecutable } from "./ggml-executable.ts";
import { GgmlTensor, newTensor } from "./ggml-tensor.ts";
import { ggmlDifferences, ggmlKernels, ggmlTranslations } from "./kernels.ts";
import { type Ggml, ggmlFolders, loadGgml, type Pointer } from "./native.ts";
import { Scope } from "./scope.ts";

const deviceKinds = ["processor", "graphics", "integrated graphics", "accelerator"] as const;

export type GgmlChip = { readonly folder: string; readonly name: string; readonly description: string; readonly kind: string };

/** Every chip that some build of ggml on this machine finds. */
export function findGgmlChips(): GgmlChip[] {
  const chips = new Map<string, GgmlChip>();
  for (const folder of ggmlFolders()) {
    try {
      const g = loadGgml(folder);
      for (let i = 0; i < g.deviceCount(); i++) {
        const device = g.deviceAt(i);
        const name = g.deviceName(device);
        chips.set(name, { folder, name, description: g.deviceDescription(device), kind: deviceKinds[g.deviceType(device)] ?? "unknown" });
      }
    } catch {
      // A folder for another chip: it holds no library that loads here.
    }
  }
  return [...chips.values()];
}

/** Operands that may be of any weight type. */
const weightOperands: Partial<Record<OpName, number>> = { linear: 1, linearDx: 1, loraLinear: 1, loraLinearDx: 1, embedding: 0 };

export class GgmlDevice implements Device {
  readonly name: string;
  readonly description: string;
  readonly kernels = ggmlKernels;
  readonly differs = ggmlDifferences;
  readonly g: Ggml;
  readonly backend: Pointer;
  readonly #device: Pointer;
  #disposed = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** `chip`: a name of `findGgmlChips`; default: the processor. */
  constructor(options: { readonly chip?: string; readonly threads?: number } = {}) {
    const chips = findGgmlChips();
    const chip = options.chip === undefined ? chips.find(({ kind }) => kind === "processor") : chips.find(({ name }) => name === options.chip);
    if (chip === undefined) {
      throw new StarboxError("device_unsupported", `ggml: no chip ${options.chip ?? "at all"} was found.`, {
        hint: `There are: ${chips.map(({ name }) => name).join(", ") || "none"}.`,
      });
    }
    this.g = loadGgml(chip.folder);
    this.name = chip.kind === "processor" ? "ggml" : `ggml:${chip.name}`;
    const threads = options.threads ?? os.availableParallelism();
    this.description = `ggml, ${chip.description}${chip.kind === "processor" ? `, ${threads} threads` : ""}`;
    const index = Array.from({ length: this.g.deviceCount() }, (_, i) => i).find((i) => this.g.deviceName(this.g.deviceAt(i)) === chip.name)!;
    this.#device = this.g.deviceAt(index);
    this.backend = this.g.deviceInit(this.#device, null);
    if (this.backend === 0) throw new StarboxError("device_unsupported", `ggml: ${chip.name} could not be opened.`);
    const setThreads = this.g.procAddress(this.g.deviceRegistry(this.#device), "ggml_backend_set_n_threads");
    this.g.setThreads(this.backend, threads, setThreads);
  }

  /** Asks ggml about every node that the translation makes, as its own scheduler does. */
  whyNot(program: Program, node: Node): string | null {
    const entry = ggmlTranslations[node.op];
    if ("unsupported" in entry) return entry.unsupported;
    const specOf = (id: number | null): TensorSpec | null => (id === null ? null : program.values.get(id)!.spec);
    const inputs = node.inputs.map(specOf);
    const outputs = node.outputs.map((id) => specOf(id)!);
    const weight = weightOperands[node.op];
    const activations = node.op === "cast" || node.op === "dequantize" ? [] : [...inputs.filter((_, i) => i !== weight), ...outputs];
    if (activations.some((spec) => spec?.dtype === "bf16" || spec?.dtype === "f16")) return "ggml computes activations in f32";
    if ([...inputs, ...outputs].some((spec) => spec !== null && elementCount(spec.shape) === 0) && !this.#onlyMissingEmpty(entry, inputs, outputs))
      return "ggml has no empty tensors";
    const refused = entry.refuses?.(inputs, node.params, outputs) ?? null;
    if (refused !== null) return refused;
    for (const i of entry.hostOperands ?? []) {
      const id = node.inputs[i];
      if (id != null && program.values.get(id)!.kind !== "input")
        return `its operand ${i} must be an input of the program: ggml's mask is made on the host`;
    }
    const read = new Set([...program.outputs.values(), ...program.nodes.flatMap((other) => other.inputs)]);
    for (const [output, why] of Object.entries(entry.missing ?? {})) if (read.has(node.outputs[Number(output)] ?? -1)) return why;
    return this.#refusedByGgml(inputs, outputs, node);
  }

  /** Products round their activations to what the weight's dot product wants: its own 16-bit type, or blocks of 8 bits. */
  rounding(program: Program, node: Node): DType | null {
    const weight = node.inputs[1];
    if (!["linear", "loraLinear"].includes(node.op) || weight == null) return null;
    const { dtype } = program.values.get(weight)!.spec;
    if (dtypes[dtype].kind === "quantized") return "q8_0";
    return dtype === "f32" ? null : dtype;
  }

  tensor(name: string, spec: TensorSpec, data?: TensorData): DeviceTensor {
    if (spec.packed !== undefined) throw new StarboxError("device_unsupported", "ggml: packed weights belong to the cpu device.");
    return new GgmlTensor(this.g, this.backend, name, spec, data);
  }

  compile(program: Program, options: CompileOptions = {}): Executable {
    const final = removeDead(program);
    options.watch?.("remove dead", final);
    for (const node of final.nodes) {
      const why = this.whyNot(final, node);
      if (why !== null) throw new StarboxError("device_unsupported", `${this.name}: ${printNode(final, node)}: ${why}.`);
    }
    return new GgmlExecutable(this, final, options.parameters ?? {});
  }

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(work, work);
    this.#turn = next.catch(() => {});
    return next;
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.g.backendFree(this.backend);
  }

  /** Outputs that ggml does not give may be empty: nobody reads them. */
  #onlyMissingEmpty(
    entry: { readonly missing?: Readonly<Record<number, string>> },
    inputs: readonly (TensorSpec | null)[],
    outputs: readonly TensorSpec[],
  ): boolean {
    const empty = (spec: TensorSpec | null): boolean => spec !== null && elementCount(spec.shape) === 0;
    return !inputs.some(empty) && outputs.every((spec, i) => !empty(spec) || entry.missing?.[i] !== undefined || i > 0);
  }

  #refusedByGgml(inputs: readonly (TensorSpec | null)[], outputs: readonly TensorSpec[], node: Node): string | null {
    const { g } = this;
    const ctx = g.init(g.tensorOverhead() * 512 + g.graphOverhead());
    try {
      const entry = ggmlTranslations[node.op];
      if ("unsupported" in entry) return entry.unsupported;
      const pointers = inputs.map((spec) => (spec === null ? null : newTensor(g, ctx, spec)));
      const scope = new Scope({
        g,
        ctx,
        inputs: pointers,
        inputSpecs: inputs,
        outputSpecs: outputs,
        params: node.params,
        derive: (spec) => newTensor(g, ctx, spec),
      });
      const graph = g.newGraph(ctx);
      for (const result of entry.build(scope)) if (result !== null) g.expand(graph, result);
      for (let i = 0; i < g.nodeCount(graph); i++) {
        const made = g.nodeAt(graph, i);
        if (!g.deviceSupports(this.#device, made)) return `no ${g.describe(made)} for these types and shapes on this chip`;
      }
      return null;
    } finally {
      g.free(ctx);
    }
  }
}
