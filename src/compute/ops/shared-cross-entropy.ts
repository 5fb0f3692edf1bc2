/** @file The logits of each row that has a target, for the references of linear + cross entropy. No operator itself. */
import type { ReferenceTensor } from "../op.ts";
import { logSumExp } from "./shared-math.ts";

export type LogitRow = {
  readonly t: number;
  readonly target: number;
  /** After the softcap. */
  readonly logits: Float64Array;
  /** log Σ e^logit. */
  readonly total: number;
  /** dl/dz: 1 without a softcap. */
  readonly slopes: Float64Array;
};

export function crossEntropyRows(
  x: ReferenceTensor,
  w: ReferenceTensor,
  targets: Float64Array,
  softcap: number,
  visit: (row: LogitRow) => void,
): void {
  const [vocabulary, columns] = w.shape as [number, number];
  targets.forEach((target, t) => {
    if (target < 0 || target >= vocabulary) return;
    const logits = new Float64Array(vocabulary);
    for (let v = 0; v < vocabulary; v++) {
      let z = 0;
      for (let d = 0; d < columns; d++) z += x.values[t * columns + d]! * w.values[v * columns + d]!;
      logits[v] = softcap > 0 ? softcap * Math.tanh(z / softcap) : z;
    }
    const slopes = logits.map((l) => (softcap > 0 ? 1 - (l / softcap) ** 2 : 1));
    visit({ t, target, logits, total: logSumExp(logits, 0, vocabulary), slopes });
  });
}
