/** @file Samples of random shapes and types from a fixed seed: what nobody thought of. The generators know only what shapes must agree. */
import { createRandom, seedOf } from "../../../src/compute/backends/reference/sample-values.ts";
import type { DType } from "../../../src/compute/dtype.ts";
import type { Sample, SampleInput } from "../../../src/compute/op.ts";
import type { OpName } from "../../../src/compute/ops/index.ts";

type Draw = {
  /** A whole number from `low` to `high`, small ones and edges of tiles more often. */
  readonly size: (low: number, high: number) => number;
  readonly below: (n: number) => number;
  readonly activation: () => DType;
  readonly maybe: <T>(value: T) => T | null;
};

function draws(seed: string): Draw {
  const random = createRandom(seedOf(seed));
  const below = (n: number): number => Math.floor(random() * n);
  const edges = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129];
  return {
    below,
    size: (low, high) => {
      const fitting = edges.filter((edge) => edge >= low && edge <= high);
      return random() < 0.5 && fitting.length > 0 ? fitting[below(fitting.length)]! : low + below(high - low + 1);
    },
    activation: () => (random() < 0.5 ? "f32" : "bf16"),
    maybe: (value) => (random() < 0.5 ? value : null),
  };
}

const of = (dtype: DType, ...shape: number[]): SampleInput => ({ dtype, shape });
const scaled = (dtype: DType, ...shape: number[]): SampleInput => ({
  dtype,
  shape,
  fill: { draw: "normal", scale: 1 / Math.sqrt(Math.max(1, shape.at(-1)!)) },
});
const positive = (...shape: number[]): SampleInput => ({ dtype: "f32", shape, fill: { draw: "positive" } });
const integers = (from: number, below: number, ...shape: number[]): SampleInput => ({ dtype: "i32", shape, fill: { draw: "integers", from, below } });

/** A packed batch: texts one after another with gaps, some of them branches of an earlier one. */
function segments({ below, size }: Draw, tokens: number): SampleInput {
  const values: number[] = [];
  for (let at = 0, count = 0; at < tokens && count < 6; count++) {
    const length = Math.min(size(1, 40), tokens - at);
    values.push(at, at + length, count > 0 && below(2) === 0 ? below(count) : -1);
    at += length + (below(4) === 0 ? 1 : 0);
  }
  return { dtype: "i32", shape: [values.length / 3, 3], fill: { values } };
}

const weightTypes: readonly DType[] = ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k", "q5_k", "q6_k"];
/** A type and a number of columns that its blocks fill. */
function weightOf({ below, size }: Draw): { readonly type: DType; readonly k: number } {
  const type = weightTypes[below(weightTypes.length)]!;
  if (type.endsWith("_k")) return { type, k: 256 * size(1, 2) };
  return { type, k: type.startsWith("q") ? 32 * size(1, 9) : size(1, 200) };
}

type Generator = (draw: Draw) => Omit<Sample, "label">;

const elementwise =
  (operands: number): Generator =>
  (d) => {
    const shape = [d.size(0, 40), d.size(0, 130)];
    return { inputs: Array.from({ length: operands }, () => of(d.activation(), ...shape)) };
  };

const attentionOperands = (d: Draw) => {
  const [tokens, keyHeads, group, width] = [d.size(0, 130), d.size(1, 3), d.size(1, 4), d.size(1, 96)];
  const [q, k] = [of(d.activation(), tokens, keyHeads * group, width), of(d.activation(), tokens, keyHeads, width)];
  const params = {
    scale: width ** -0.5,
    causal: d.below(4) === 0 ? 0 : 1,
    window: d.below(3) === 0 ? d.size(1, 60) : 0,
    softcap: d.below(4) === 0 ? 5 : 0,
  };
  return { q, k, tokens, heads: keyHeads * group, segments: segments(d, tokens), positions: d.maybe(integers(0, 200, tokens)), params };
};

const generators: Partial<Record<OpName, Generator>> = {
  add: elementwise(2),
  swiglu: elementwise(2),
  swigluBackward: elementwise(3),
  gelu: elementwise(1),
  sum: elementwise(1),
  sumRows: elementwise(1),
  transpose: elementwise(1),
  softmax: elementwise(1),
  addRow: (d) => {
    const [rows, columns] = [d.size(0, 40), d.size(0, 130)];
    return { inputs: [of(d.activation(), rows, columns), of(d.activation(), columns)] };
  },
  rmsNorm: (d) => {
    const [rows, columns] = [d.size(0, 40), d.size(1, 300)];
    return { inputs: [of(d.activation(), rows, columns), of(d.activation(), columns)], params: { offset: d.below(2) } };
  },
  rmsNormBackward: (d) => {
    const [rows, columns] = [d.size(0, 40), d.size(1, 300)];
    const x = (): SampleInput => of(d.activation(), rows, columns);
    return { inputs: [x(), x(), of(d.activation(), columns), positive(rows), d.maybe(x())], params: { offset: d.below(2), withDw: d.below(2) } };
  },
  layerNorm: (d) => {
    const [rows, columns] = [d.size(0, 40), d.size(2, 300)];
    return { inputs: [of(d.activation(), rows, columns), of(d.activation(), columns), of(d.activation(), columns)] };
  },
  rope: (d) => {
    const [tokens, heads, pairs] = [d.size(0, 40), d.size(1, 5), d.size(1, 40)];
    const n = 2 * pairs;
    return {
      inputs: [of(d.activation(), tokens, heads, n + d.below(5)), integers(0, 5000, tokens), d.maybe(positive(pairs))],
      params: { n, interleaved: d.below(2), inverse: d.below(2) },
    };
  },
  topK: (d) => {
    const columns = d.size(1, 300);
    return { inputs: [of(d.activation(), d.size(0, 9), columns)], params: { k: d.below(columns + 1) } };
  },
  embedding: (d) => {
    const { type, k } = weightOf(d);
    const rows = d.size(1, 20);
    return { inputs: [of(type, rows, k), integers(-1, rows + 1, d.size(0, 40))], params: { scale: 1.5 }, as: d.activation() as "f32" };
  },
  linear: (d) => {
    const { type, k } = weightOf(d);
    const [m, n] = [d.size(0, 70), d.size(1, 140)];
    return {
      inputs: [of(d.activation(), m, k), scaled(type, n, k), d.maybe(of(d.activation(), n)), d.maybe(of(d.activation(), m, n))],
      params: { activation: d.below(5) },
      as: d.activation() as "f32",
    };
  },
  linearDx: (d) => {
    const { type, k } = weightOf(d);
    const [m, n] = [d.size(0, 70), d.size(1, 140)];
    return { inputs: [of(d.activation(), m, n), scaled(type, n, k), d.maybe(of(d.activation(), m, k))] };
  },
  linearDw: (d) => {
    const [m, n, k] = [d.size(0, 200), d.size(1, 70), d.size(1, 140)];
    return {
      inputs: [of(d.activation(), m, n), of(d.activation(), m, k), d.maybe(of(d.activation(), n, k))],
      params: { scale: 0.5 },
      as: d.activation() as "f32",
    };
  },
  loraLinear: (d) => {
    const { type, k } = weightOf(d);
    const [m, n, g, r] = [d.size(0, 40), d.size(1, 70), d.size(1, 3), d.size(1, 17)];
    return {
      inputs: [
        of(d.activation(), m, k),
        scaled(type, n, k),
        scaled(d.activation(), g, r, k),
        of(d.activation(), g, n, r),
        positive(g),
        d.maybe(integers(-1, g + 1, m)),
        d.maybe(of(d.activation(), n)),
        d.maybe(of(d.activation(), m, n)),
      ],
    };
  },
  loraLinearDx: (d) => {
    const { type, k } = weightOf(d);
    const [m, n, g, r] = [d.size(0, 40), d.size(1, 70), d.size(1, 3), d.size(1, 17)];
    return {
      inputs: [
        of(d.activation(), m, n),
        scaled(type, n, k),
        scaled(d.activation(), g, r, k),
        of(d.activation(), g, n, r),
        positive(g),
        d.maybe(integers(-1, g + 1, m)),
        d.maybe(of(d.activation(), m, k)),
      ],
    };
  },
  loraDw: (d) => {
    const [m, n, k, g] = [d.size(0, 140), d.size(1, 70), d.size(1, 40), d.size(1, 3)];
    return {
      inputs: [
        of(d.activation(), m, n),
        of(d.activation(), m, k),
        d.maybe(integers(-1, g + 1, m)),
        d.maybe(positive(g)),
        d.maybe(of("f32", g, n, k)),
      ],
      params: { groups: g },
    };
  },
  linearCrossEntropy: (d) => {
    const { type, k } = weightOf(d);
    const [m, v] = [d.size(0, 40), d.size(1, 400)];
    return {
      inputs: [of(d.activation(), m, k), scaled(type, v, k), integers(-1, v + 1, m)],
      params: { withDx: 1, softcap: d.below(3) === 0 ? 4 : 0 },
    };
  },
  attention: (d) => {
    const { q, k, segments: texts, positions, params } = attentionOperands(d);
    return { inputs: [q, k, k, texts, positions], params };
  },
  attentionBackward: (d) => {
    const { q, k, tokens, heads, segments: texts, positions, params } = attentionOperands(d);
    const lse: SampleInput = { dtype: "f32", shape: [tokens, heads], fill: { draw: "positive", scale: 3 } };
    return { inputs: [q, q, k, k, q, lse, texts, positions], params };
  },
};

/** `count` samples of an operator that has a generator, else none. */
export function fuzzedSamples(op: OpName, count: number): readonly Sample[] {
  const make = generators[op];
  if (make === undefined) return [];
  return Array.from({ length: count }, (_, i) => {
    const sample = make(draws(`${op} ${i}`));
    const shapes = sample.inputs.map((input) => (input === null ? "-" : `${input.dtype}[${input.shape.join(", ")}]`)).join(" ");
    return { label: `fuzz ${i}: ${shapes}`, checkGradient: false, ...sample };
  });
}
