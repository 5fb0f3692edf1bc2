/** @file How far two rows of numbers are apart: error relative to the largest value, cosine, and for logits the agreement of what they would choose. */

export type Distance = {
  /** Largest error over the largest expected value. */
  readonly relative: number;
  /** Root mean square of the error over that of the expected values. */
  readonly rms: number;
  readonly cosine: number;
};

export type LogitDistance = Distance & {
  /** Mean over tokens of KL(expected ‖ got), in nats. */
  readonly kl: number;
  /** Tokens whose largest logit is the same. */
  readonly agree: number;
  /** Tokens where it is not, though the expected two largest are further apart than `near`. */
  readonly wrong: number;
  readonly tokens: number;
};

type Numbers = ArrayLike<number>;

export function distance(expected: Numbers, got: Numbers): Distance {
  let [largest, worst, errors, squares, gots, dot] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < expected.length; i++) {
    const [e, g] = [expected[i]!, got[i]!];
    largest = Math.max(largest, Math.abs(e));
    worst = Math.max(worst, Number.isFinite(g) ? Math.abs(e - g) : Number.POSITIVE_INFINITY);
    errors += (e - g) ** 2;
    squares += e * e;
    gots += g * g;
    dot += e * g;
  }
  if (expected.length !== got.length || Number.isNaN(dot)) return { relative: Number.POSITIVE_INFINITY, rms: Number.POSITIVE_INFINITY, cosine: 0 };
  const floor = Number.MIN_VALUE;
  return {
    relative: worst / (largest || floor),
    rms: Math.sqrt(errors / (squares || floor)),
    cosine: squares === 0 && gots === 0 ? 1 : dot / Math.sqrt((squares || floor) * (gots || floor)),
  };
}

/** Two largest logits closer than this may change places by rounding alone. */
export const near = 0.05;

function logSoftmax(row: Float64Array): Float64Array {
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const log = most + Math.log(row.reduce((sum, v) => sum + Math.exp(v - most), 0));
  return row.map((v) => v - log);
}

function largestTwo(row: Float64Array): { readonly at: number; readonly gap: number } {
  let [at, second] = [0, -1];
  for (let i = 1; i < row.length; i++) {
    if (row[i]! > row[at]!) [second, at] = [at, i];
    else if (second < 0 || row[i]! > row[second]!) second = i;
  }
  return { at, gap: second < 0 ? Number.POSITIVE_INFINITY : row[at]! - row[second]! };
}

export function logitDistance(expected: Numbers, got: Numbers, vocabulary: number): LogitDistance {
  const tokens = expected.length / vocabulary;
  let [kl, agree, wrong] = [0, 0, 0];
  for (let t = 0; t < tokens; t++) {
    const cut = (from: Numbers): Float64Array => Float64Array.from({ length: vocabulary }, (_, i) => from[t * vocabulary + i]!);
    const [e, g] = [cut(expected), cut(got)];
    const [p, q] = [logSoftmax(e), logSoftmax(g)];
    for (let i = 0; i < vocabulary; i++) kl += Math.exp(p[i]!) * (p[i]! - q[i]!);
    const [mine, theirs] = [largestTwo(e), largestTwo(g)];
    if (mine.at === theirs.at) agree++;
    else if (mine.gap > near) wrong++;
  }
  return { ...distance(expected, got), kl: kl / tokens, agree, wrong, tokens };
}
