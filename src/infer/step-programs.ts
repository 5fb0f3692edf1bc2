/**
 * @file One step of generation as a program: some rows of several sequences in, keys and values into their pages, logits of some rows out.
 * Rows of a step are padded to one of a few counts, so that a handful of programs serve every mixture of prompts and answers.
 * T: rows · S: sequences · R: rows whose logits are wanted · P pages of B rows
 */
import type { Device, DeviceTensor, Executable, Value } from "#compute";
import { Graph } from "#compute";
import { type Attend, buildDecoder, headWeight, type Project, type Weights } from "#nn";
import type { AdapterSet } from "./adapters.ts";
import type { InferenceModel } from "./load-model.ts";

export type StepInput = {
  readonly ids: Int32Array;
  readonly positions: Int32Array;
  /** Where each row's keys and values go: page · B + row. */
  readonly slots: Int32Array;
  /** The adapter of each row; −1: none. */
  readonly groups: Int32Array;
  /** [S][3]: first row, rows, positions in all. */
  readonly sequences: Int32Array;
  /** [S][pages a sequence]. */
  readonly pages: Int32Array;
  /** Rows whose logits are wanted. */
  readonly rows: Int32Array;
};

export type StepOptions = {
  readonly sequences: number;
  readonly pages: number;
  readonly pageRows: number;
  readonly pagesEach: number;
  readonly cacheType: "f32" | "f16" | "bf16" | "q8_0";
  /** Activations of products with quantised weights stay exact: slower, for comparison. */
  readonly exact: boolean;
};

const rowCounts = [1, 2, 4, 8, 16, 32, 64, 128, 256];
export const mostRows = rowCounts.at(-1)!;

export class StepPrograms implements Disposable {
  readonly #device: Device;
  readonly #model: InferenceModel;
  readonly #options: StepOptions;
  readonly #caches: Record<string, DeviceTensor> = {};
  readonly #programs = new Map<string, Executable>();
  #adapters: AdapterSet | null = null;

  constructor(device: Device, model: InferenceModel, options: StepOptions) {
    this.#device = device;
    this.#model = model;
    this.#options = options;
    const { kvHeads, headWidth, layers } = model.config;
    const spec = { dtype: options.cacheType, shape: [options.pages, options.pageRows, kvHeads, headWidth] };
    for (let layer = 0; layer < layers; layer++)
      for (const kind of ["k", "v"]) this.#caches[`cache.${layer}.${kind}`] = device.tensor(`cache.${layer}.${kind}`, spec);
  }

  /** Programs know how many adapters there are room for; null: none. Not while a step runs. */
  setAdapters(adapters: AdapterSet | null): void {
    if (adapters === this.#adapters) return;
    this.#dropPrograms();
    this.#adapters = adapters;
  }

  /** Logits of the wanted rows, [R][V]. */
  async run(step: StepInput): Promise<Float32Array> {
    const count = rowCounts.find((rows) => rows >= step.ids.length)!;
    const rows = step.rows.length <= 1 ? 1 : Math.min(count, this.#options.sequences);
    const padded = (values: Int32Array, size: number, filler: number): Int32Array => {
      const out = new Int32Array(size).fill(filler);
      out.set(values);
      return out;
    };
    const result = await this.#program(count, rows).run({
      inputs: {
        ids: padded(step.ids, count, 0),
        positions: padded(step.positions, count, 0),
        slots: padded(step.slots, count, -1),
        sequences: step.sequences,
        pages: step.pages,
        rows: padded(step.rows, rows, 0),
        ...(this.#adapters === null ? {} : { groups: padded(step.groups, count, -1) }),
      },
    });
    const logits = result["logits"] as Float32Array;
    return logits.subarray(0, step.rows.length * this.#model.config.vocabulary);
  }

  #program(tokens: number, rows: number): Executable {
    const key = `${tokens} ${rows}`;
    let program = this.#programs.get(key);
    if (program === undefined) {
      program = this.#compile(tokens, rows);
      this.#programs.set(key, program);
    }
    return program;
  }

  #compile(tokens: number, rows: number): Executable {
    const { config, specs, weights } = this.#model;
    const { sequences, pagesEach, exact } = this.#options;
    const graph = new Graph();
    const known = new Map<string, Value>();
    const named = (name: string, spec: { readonly dtype: Parameters<Graph["parameter"]>[1]; readonly shape: readonly number[] }): Value => {
      let value = known.get(name);
      if (value === undefined) {
        value = graph.parameter(name, spec.dtype, spec.shape);
        known.set(name, value);
      }
      return value;
    };
    const weight: Weights = (name) => {
      const spec = specs.get(name);
      return spec === undefined ? null : named(name, spec);
    };
    const ids = graph.input("ids", "i32", [tokens]);
    const positions = graph.input("positions", "i32", [tokens]);
    const slots = graph.input("slots", "i32", [tokens]);
    const spans = graph.input("sequences", "i32", [sequences, 3]);
    const pages = graph.input("pages", "i32", [sequences, pagesEach]);
    const wanted = graph.input("rows", "i32", [rows]);
    const attend: Attend = (layer, q, k, v, params) => {
      const write = (kind: "k" | "v", value: Value): Value =>
        graph.apply("cacheWrite", [value, slots, named(`cache.${layer}.${kind}`, this.#caches[`cache.${layer}.${kind}`]!.spec)]);
      return graph.apply(
        "attentionPaged",
        [q, write("k", k), write("v", v), pages, spans],
        { scale: params.scale, window: params.window },
        { as: "f32" },
      );
    };
    const adapters = this.#adapters;
    const groups = adapters === null ? null : graph.input("groups", "i32", [tokens]);
    const plain = (x: Value, name: string, residual: Value | null): Value =>
      graph.apply("linear", [x, weight(name)!, weight(name.replace(/weight$/, "bias")), residual], {}, { as: "f32" });
    const project: Project = (x, name, { residual } = {}) => {
      const parts = adapters?.tensors(name);
      if (adapters === null || groups === null || parts === undefined) return plain(x, name, residual ?? null);
      const [a, b] = [named(`${name}.lora_a`, parts.a.spec), named(`${name}.lora_b`, parts.b.spec)];
      const scales = named("lora.scales", adapters.scales.spec);
      return graph.apply(
        "loraLinear",
        [x, weight(name)!, a, b, scales, groups, weight(name.replace(/weight$/, "bias")), residual ?? null],
        {},
        { as: "f32" },
      );
    };
    const hidden = buildDecoder(graph, config, weight, { ids, positions, segments: spans, attend }, { activations: "f32", project }); // [T, D]
    const last = tokens === 1 ? hidden : graph.apply("embedding", [hidden, wanted], {}, { as: "f32" }); // [R, D]
    graph.output("logits", graph.apply("linear", [last, headWeight(weight), null, null], {}, { as: "f32" }));
    return this.#device.compile(graph.build(), { parameters: { ...weights, ...this.#caches, ...adapters?.parameters }, int8: !exact });
  }

  #dropPrograms(): void {
    for (const program of this.#programs.values()) program[Symbol.dispose]();
    this.#programs.clear();
  }

  [Symbol.dispose](): void {
    this.#dropPrograms();
    for (const cache of Object.values(this.#caches)) cache[Symbol.dispose]();
  }
}
