/** @file The float64 reference on a model's own weights: large ones are read in blocks of rows, so that a vocabulary of 250,000 does not fill the memory. */
import { elementCount, loadValues, type Node, ops, type Program, type ReferenceTensor } from "#compute";
import type { ModelSource } from "./model.ts";

const largest = 1 << 23;
const block = 4096;

export class ReferenceStage {
  readonly #model: ModelSource;
  readonly #program: Program;
  readonly #weights = new Map<string, Float64Array>();

  constructor(model: ModelSource, program: Program) {
    this.#model = model;
    this.#program = program;
  }

  /** All values of the program from its inputs. */
  async run(inputs: ReadonlyMap<number, Float64Array>): Promise<ReadonlyMap<number, Float64Array>> {
    const values = new Map(inputs);
    for (const node of this.#program.nodes) {
      const results = await this.node(node, (id) => values.get(id)!);
      node.outputs.forEach((id, i) => {
        values.set(id, results[i]!);
      });
    }
    return values;
  }

  /** One node's results from given operands. */
  async node(node: Node, given: (id: number) => Float64Array): Promise<readonly Float64Array[]> {
    const { values } = this.#program;
    const outputs = node.outputs.map((id) => values.get(id)!.spec);
    const big = node.inputs[node.op === "embedding" ? 0 : 1];
    const info = big == null ? undefined : values.get(big);
    if (info?.kind === "parameter" && elementCount(info.spec.shape) > largest) {
      if (node.op === "linear") return [await this.#linear(node, info.name!, given)];
      if (node.op === "embedding") return [await this.#embedding(node, info.name!, given)];
    }
    return ops[node.op].reference(await this.operands(node, given), node.params, outputs);
  }

  async operands(node: Node, given: (id: number) => Float64Array): Promise<readonly (ReferenceTensor | null)[]> {
    return Promise.all(
      node.inputs.map(async (id) => {
        if (id === null) return null;
        const { kind, spec, name } = this.#program.values.get(id)!;
        return { ...spec, values: kind === "parameter" ? await this.#weight(name!) : given(id) };
      }),
    );
  }

  /** Its weight is too large to be held in float64 at once. */
  isLarge(node: Node): boolean {
    return node.inputs.some((id) => {
      const info = id === null ? undefined : this.#program.values.get(id);
      return info?.kind === "parameter" && elementCount(info.spec.shape) > largest;
    });
  }

  async #weight(name: string): Promise<Float64Array> {
    const known = this.#weights.get(name) ?? loadValues(this.#model.tensors.get(name)!, await this.#model.read(name));
    this.#weights.set(name, known);
    return known;
  }

  async #linear(node: Node, name: string, given: (id: number) => Float64Array): Promise<Float64Array> {
    const spec = this.#model.tensors.get(name)!;
    const [rows, columns] = spec.shape as [number, number];
    const xSpec = this.#program.values.get(node.inputs[0]!)!.spec;
    const tokens = xSpec.shape[0]!;
    const x = { ...xSpec, values: given(node.inputs[0]!) };
    if (node.inputs[2] != null || node.inputs[3] != null || node.params["activation"] !== 0)
      throw new Error(`linear of ${name}: only a plain product is read in blocks`);
    const y = new Float64Array(tokens * rows);
    for (let start = 0; start < rows; start += block) {
      const count = Math.min(block, rows - start);
      const part = { dtype: spec.dtype, shape: [count, columns] };
      const weight = { ...part, values: loadValues(part, await this.#model.read(name, { start, count })) };
      const [product] = ops.linear.reference([x, weight, null, null], node.params, [{ dtype: "f32", shape: [tokens, count] }]);
      for (let t = 0; t < tokens; t++) y.set(product!.subarray(t * count, (t + 1) * count), t * rows + start);
    }
    return y;
  }

  async #embedding(node: Node, name: string, given: (id: number) => Float64Array): Promise<Float64Array> {
    const { dtype, shape } = this.#model.tensors.get(name)!;
    const ids = given(node.inputs[1]!);
    const y = new Float64Array(ids.length * shape[1]!);
    for (const [t, id] of ids.entries()) {
      const row = loadValues({ dtype, shape: [1, shape[1]!] }, await this.#model.read(name, { start: id, count: 1 }));
      y.set(
        row.map((v) => v * node.params["scale"]!),
        t * shape[1]!,
      );
    }
    return y;
  }
}
