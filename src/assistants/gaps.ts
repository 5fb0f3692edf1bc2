/** @file Knowledge gaps: questions without an answer, likes beside likes. */
import type { Answer } from "#contracts";
import { type AssistantsDeps, stamp } from "./deps.ts";

const sameQuestion = 0.6;
const mostVariants = 20;

export function noteGap(deps: AssistantsDeps, kbIds: readonly string[], answer: Answer): void {
  const nearest = (answer.refusal?.nearest ?? []).map((hit) => ({
    document: hit.document,
    documentId: hit.documentId,
    text: hit.text.slice(0, 300),
    kbId: hit.kbId,
  }));
  const at = stamp(deps);
  for (const kbId of kbIds) {
    const near = nearest.filter((item) => item.kbId === kbId).map(({ document, documentId, text }) => ({ document, documentId, text }));
    const group = bestGroup(deps, kbId, answer.query);
    if (group === null) {
      deps.storage.gaps.write({
        id: deps.newId("gap"),
        kbId,
        question: answer.query,
        variants: [],
        count: 1,
        nearest: near,
        createdAt: at,
        lastAskedAt: at,
      });
      continue;
    }
    const isNew = group.question !== answer.query && !group.variants.includes(answer.query);
    const variants = isNew ? [...group.variants, answer.query].slice(-mostVariants) : group.variants;
    deps.storage.gaps.write({ ...group, variants, count: group.count + 1, nearest: near.length === 0 ? group.nearest : near, lastAskedAt: at });
  }
}

function bestGroup(deps: AssistantsDeps, kbId: string, question: string) {
  let best: { group: ReturnType<typeof deps.storage.gaps.list>[number]; likeness: number } | null = null;
  for (const group of deps.storage.gaps.list(kbId)) {
    const likeness = Math.max(...[group.question, ...group.variants].map((asked) => deps.likeness(asked, question)));
    if (likeness >= sameQuestion && likeness > (best?.likeness ?? 0)) best = { group, likeness };
  }
  return best?.group ?? null;
}
