/** @file How many of the truly nearest passages the compact index finds: compares it with all exact vectors. For measuring; answers no question. */
import type { RetrieveFilter } from "#contracts";
import { RetrievalEngine } from "./engine.ts";
import type { IndexReader } from "./reader.ts";

export type VectorRecall = { readonly recall: number; readonly vectors: number };

/** Rows read at once: bounds memory beside the vectors themselves. */
const batch = 1000;

/** Mean share of the exact first `depth` that the index brings among its own first `depth` after exact rescoring. */
export function measureVectorRecall(
  reader: IndexReader,
  scope: { readonly kbIds: readonly string[]; readonly filter?: RetrieveFilter },
  questions: readonly Float32Array[],
  depth: number,
): VectorRecall {
  const engine = new RetrievalEngine(reader);
  const index = engine.openDense({ ...scope, viewer: { person: null, access: "everything" } });
  const ids: number[] = [];
  const exact: Float32Array[] = [];
  for (let at = 0; at < index.chunkIds.length; at += batch) {
    for (const { chunkId, vector } of reader.readCandidates(index.chunkIds.slice(at, at + batch))) {
      if (vector === null) continue;
      ids.push(chunkId);
      exact.push(vector);
    }
  }
  let recall = 0;
  for (const question of questions) {
    const score = index.scoreOf(question);
    const scores = new Map(ids.map((id, i) => [id, score(id, exact[i] as Float32Array)]));
    const first = (list: readonly number[]): readonly number[] =>
      list.toSorted((a, b) => (scores.get(b) as number) - (scores.get(a) as number)).slice(0, depth);
    const found = new Set(first(index.find(question)));
    const right = first(ids);
    recall += right.filter((id) => found.has(id)).length / right.length;
  }
  return { recall: questions.length === 0 ? 0 : recall / questions.length, vectors: ids.length };
}
