/** @file The searches for a group's scale that ggml's K types make: try a few, keep the one of least weighted error. All in f32, in ggml's order of operations. */
import { roundEven } from "./halves.ts";

const f = Math.fround;
const clamp = (low: number, high: number, value: number): number => Math.max(low, Math.min(high, value));

export type Fit = { readonly scale: number; readonly minimum: number; readonly levels: readonly number[] };

/** x ≈ scale · level − minimum, level 0 … top; large values weigh more. Tries top + from, top + from + 0.1, … as the range. */
export function fitWithMinimum(x: Float32Array, top: number, from: number, steps: number): Fit {
  const squares = x.reduce((sum, v) => f(sum + f(v * v)), 0);
  const spread = f(Math.sqrt(f(squares / x.length)));
  const weights = x.map((v) => spread + Math.abs(v));
  let low = Math.min(0, ...x);
  const high = Math.max(...x);
  const [first, range] = [low, f(high - low)];
  if (high === first) return { scale: 0, minimum: -first, levels: Array(x.length).fill(0) };
  let [sumW, sumX] = [weights[0]!, f(weights[0]! * x[0]!)];
  for (let i = 1; i < x.length; i++) {
    sumW = f(sumW + weights[i]!);
    sumX = f(sumX + f(weights[i]! * x[i]!));
  }
  const levelsAt = (inverse: number, least: number): number[] => Array.from(x, (v) => clamp(0, top, roundEven(f(inverse * f(v - least)))));
  const errorOf = (levels: readonly number[], scale: number, least: number): number =>
    levels.reduce((sum, level, i) => {
      const off = f(f(f(scale * level) + least) - x[i]!);
      return f(sum + f(weights[i]! * f(off * off)));
    }, 0);
  let inverse = f(top / range);
  let scale = f(1 / inverse);
  let levels = levelsAt(inverse, low);
  let best = errorOf(levels, scale, low);
  for (let step = 0; step <= steps; step++) {
    inverse = f(f(f(f(from) + f(f(0.1) * step)) + top) / f(high - low));
    const trial = levelsAt(inverse, low);
    let [sumL, sumL2, sumXL] = [0, 0, 0];
    trial.forEach((level, i) => {
      const weighted = f(weights[i]! * level);
      sumL = f(sumL + weighted);
      sumL2 = f(sumL2 + f(weighted * level));
      sumXL = f(sumXL + f(weighted * x[i]!));
    });
    const determinant = f(f(sumW * sumL2) - f(sumL * sumL));
    if (!(determinant > 0)) continue;
    let trialScale = f(f(f(sumW * sumXL) - f(sumX * sumL)) / determinant);
    let trialLow = f(f(f(sumL2 * sumX) - f(sumL * sumXL)) / determinant);
    if (trialLow > 0) {
      trialLow = 0;
      trialScale = f(sumXL / sumL2);
    }
    const error = errorOf(trial, trialScale, trialLow);
    if (error < best) [best, levels, scale, low] = [error, trial, trialScale, trialLow];
  }
  return { scale, minimum: -low, levels };
}

/** x ≈ scale · (level − half), weighted by x²: the scale may be negative, so that the peak reaches the lowest level. */
export function fitWithSign(x: Float32Array, half: number): Omit<Fit, "minimum"> {
  const peak = x.reduce((best, v) => (Math.abs(v) > Math.abs(best) ? v : best), 0);
  if (Math.abs(peak) < f(1e-15)) return { scale: 0, levels: Array(x.length).fill(0) };
  const attempt = (inverse: number): { levels: number[]; sumXL: number; sumL2: number } => {
    let [sumXL, sumL2] = [0, 0];
    const levels = Array.from(x, (v) => {
      const level = clamp(-half, half - 1, roundEven(f(inverse * v)));
      const weight = f(v * v);
      sumXL = f(sumXL + f(f(weight * v) * level));
      sumL2 = f(sumL2 + f(f(weight * level) * level));
      return level + half;
    });
    return { levels, sumXL, sumL2 };
  };
  const start = attempt(f(-half / peak));
  let levels = start.levels;
  let scale = start.sumL2 ? f(start.sumXL / start.sumL2) : 0;
  let best = f(scale * start.sumXL);
  for (let step = -9; step <= 9; step++) {
    if (step === 0) continue;
    const trial = attempt(f(-f(half + f(f(0.1) * step)) / peak));
    if (!(trial.sumL2 > 0) || !(f(trial.sumXL * trial.sumXL) > f(best * trial.sumL2))) continue;
    levels = trial.levels;
    scale = f(trial.sumXL / trial.sumL2);
    best = f(scale * trial.sumXL);
  }
  return { scale, levels };
}
