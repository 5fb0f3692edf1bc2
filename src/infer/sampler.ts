/** @file From logits to the next token: bias, penalties, then temperature, top-k, top-p, min-p. Pure numbers; the same seed draws the same. */
import { createRandom } from "#compute";

export type Sampling = {
  /** 0: always the likeliest. */
  readonly temperature: number;
  /** 0: all. */
  readonly topK: number;
  readonly topP: number;
  /** Least probability, as a share of the likeliest's. */
  readonly minP: number;
  /** Divides positive logits of tokens already seen and multiplies negative ones (Keskar et al., 2019); prompt included. 1: none. */
  readonly repetitionPenalty: number;
  /** Subtracted once for a token the answer has, and once for every time it has it. */
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly logitBias: ReadonlyMap<number, number>;
  readonly seed: number;
};

export const greedy: Sampling = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: new Map(),
  seed: 0,
};

/** Probabilities below this share of the likeliest's are never drawn: all of them together are less than a millionth. */
const negligible = 30;

export class Sampler {
  readonly #settings: Sampling;
  readonly #random: () => number;
  /** Times each token stands in the answer; prompt tokens count 0 times. */
  readonly #seen = new Map<number, number>();

  constructor(settings: Sampling, prompt: readonly number[]) {
    this.#settings = settings;
    this.#random = createRandom(settings.seed);
    if (settings.repetitionPenalty !== 1) for (const id of prompt) this.#seen.set(id, 0);
  }

  /** Changes the logits. −∞ is never chosen; −1: nothing can be. */
  choose(logits: Float32Array): number {
    this.#adjust(logits);
    const id = this.#settings.temperature === 0 ? likeliest(logits) : this.#draw(logits);
    if (id >= 0) this.#seen.set(id, (this.#seen.get(id) ?? 0) + 1);
    return id;
  }

  #adjust(logits: Float32Array): void {
    const { logitBias, repetitionPenalty, presencePenalty, frequencyPenalty } = this.#settings;
    for (const [id, bias] of logitBias) if (id < logits.length) logits[id]! += bias;
    if (repetitionPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0) return;
    for (const [id, times] of this.#seen) {
      const value = logits[id]!;
      logits[id] = (value > 0 ? value / repetitionPenalty : value * repetitionPenalty) - (times > 0 ? presencePenalty : 0) - frequencyPenalty * times;
    }
  }

  #draw(logits: Float32Array): number {
    const { temperature, topK, topP, minP } = this.#settings;
    const best = likeliest(logits);
    if (best < 0) return -1;
    const floor = logits[best]! - negligible * temperature;
    const ids: number[] = [];
    for (let id = 0; id < logits.length; id++) if (logits[id]! >= floor) ids.push(id);
    ids.sort((a, b) => logits[b]! - logits[a]! || a - b);
    if (topK > 0 && ids.length > topK) ids.length = topK;
    const weights = ids.map((id) => Math.exp((logits[id]! - logits[best]!) / temperature));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let kept = 0;
    for (let i = 0; i < ids.length && (i === 0 || (kept < topP * total && weights[i]! >= minP)); i++) kept += weights[i]!;
    let left = this.#random() * kept;
    for (let i = 0; i < ids.length; i++) {
      left -= weights[i]!;
      if (left < 0) return ids[i]!;
    }
    return best; // rounding took the last bit
  }
}

export function likeliest(logits: Float32Array): number {
  let best = -1;
  let value = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++)
    if (logits[id]! > value) {
      value = logits[id]!;
      best = id;
    }
  return best;
}

/** log Σ e^x. */
export function logTotal(logits: Float32Array): number {
  const best = logits[likeliest(logits)] ?? 0;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(logits[id]! - best);
  return best + Math.log(sum);
}

/** The `count` likeliest tokens, most likely first. */
export function topTokens(logits: Float32Array, count: number): number[] {
  const top: number[] = [];
  for (let id = 0; id < logits.length && count > 0; id++) {
    if (top.length === count && logits[id]! <= logits[top[count - 1]!]!) continue;
    let at = top.length;
    while (at > 0 && logits[top[at - 1]!]! < logits[id]!) at--;
    top.splice(at, 0, id);
    if (top.length > count) top.pop();
  }
  return top;
}
