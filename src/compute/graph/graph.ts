/** @file Builds programs: every applied operator is checked at once, so a mistake is named where it is made. */
import { StarboxError } from "#base";
import { checkShape, type DType, formatSpec, type TensorSpec } from "../dtype.ts";
import { type ApplyOptions, checkOperands, completeParams, type Params, type Value } from "../op.ts";
import { type OpName, ops } from "../ops/index.ts";
import { differentiate } from "./autodiff.ts";
import type { Node, Program, ValueInfo } from "./program.ts";

export type GraphNode = {
  readonly op: OpName;
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  readonly params: Params;
};

export class Graph {
  readonly #infos = new Map<number, ValueInfo>();
  readonly #values = new Map<number, Value>();
  readonly #names = new Set<string>();
  readonly #outputs = new Map<string, number>();
  readonly #nodes: GraphNode[] = [];
  #nextId = 0;

  get nodes(): readonly GraphNode[] {
    return this.#nodes;
  }

  /** Given at every run. */
  input(name: string, dtype: DType, shape: readonly number[], options: { readonly needsGradient?: boolean } = {}): Value {
    return this.#named("input", name, { dtype, shape }, options.needsGradient ?? false);
  }

  /** Lives on the device between runs; operators that work in place may change it. */
  parameter(name: string, dtype: DType, shape: readonly number[], options: { readonly needsGradient?: boolean } = {}): Value {
    return this.#named("parameter", name, { dtype, shape }, options.needsGradient ?? false);
  }

  /** Marks a value for the caller to read after a run. */
  output(name: string, value: Value): void {
    if (this.#outputs.has(name)) throw new StarboxError("tensor_invalid", `output "${name}": there is one already.`);
    this.#own(value);
    this.#outputs.set(name, value.id);
  }

  /** Applies an operator; answers its first output. Throws tensor_invalid naming what was expected. */
  apply(op: string, inputs: readonly (Value | null)[], params?: Params, options?: ApplyOptions): Value {
    return this.applyAll(op, inputs, params, options)[0]!;
  }

  /** Applies an operator; answers all its outputs. */
  applyAll(op: string, inputs: readonly (Value | null)[], params?: Params, options: ApplyOptions = {}): readonly Value[] {
    const name = op as OpName;
    const form = ops[name];
    if (form === undefined) throw new StarboxError("tensor_invalid", `There is no operator "${op}".`, { hint: "`starbox ops list` names them." });
    for (const value of inputs) if (value !== null) this.#own(value);
    const specs = inputs.map((value) => value?.spec ?? null);
    checkOperands(op, form, specs);
    const complete = completeParams(op, form, params);
    const needsGradient = typeof form.gradient === "function" && inputs.some((value) => value?.needsGradient === true);
    const outputs = form.infer(specs, complete, options.as).map((spec) => {
      checkShape(op, spec.shape);
      return this.#create({ kind: "result", spec }, needsGradient);
    });
    this.#nodes.push({ op: name, inputs: form.inputs.map((_, i) => inputs[i] ?? null), outputs, params: complete });
    return outputs;
  }

  /** Gradients of a one-element loss to each of `wrt`, by the operators' own rules. Null where the loss does not depend on it. */
  gradients(loss: Value, wrt: readonly Value[]): readonly (Value | null)[] {
    this.#own(loss);
    return differentiate(this, loss, wrt);
  }

  /** What was built so far, ready for passes. */
  build(): Program {
    const nodes: Node[] = this.#nodes.map(({ op, inputs, outputs, params }) => ({
      op,
      inputs: inputs.map((value) => value?.id ?? null),
      outputs: outputs.map(({ id }) => id),
      params,
    }));
    return { values: new Map(this.#infos), nodes, outputs: new Map(this.#outputs) };
  }

  #named(kind: "input" | "parameter", name: string, spec: TensorSpec, needsGradient: boolean): Value {
    if (this.#names.has(name)) throw new StarboxError("tensor_invalid", `${kind} "${name}": the name is taken in this graph.`);
    checkShape(`${kind} "${name}"`, spec.shape);
    this.#names.add(name);
    return this.#create({ kind, spec, name }, needsGradient);
  }

  #create(info: Omit<ValueInfo, "id">, needsGradient: boolean): Value {
    const id = this.#nextId++;
    this.#infos.set(id, { id, ...info });
    const value: Value = { id, spec: info.spec, needsGradient };
    this.#values.set(id, value);
    return value;
  }

  #own(value: Value): void {
    if (this.#values.get(value.id) !== value)
      throw new StarboxError("tensor_invalid", `The value ${formatSpec(value.spec)} belongs to another graph.`);
  }
}
