/** @file Masks inside the shapes that are sent and stored: answers, citations, hits, turns. Ids, places and numbers stay as they are. */
import type { Answer, ChatTurn, Citation, RetrieveHit } from "#contracts";

type Mask = (text: string) => string;

export const maskCitation = (citation: Citation, mask: Mask): Citation => ({ ...citation, quote: mask(citation.quote) });
export const maskHit = (hit: RetrieveHit, mask: Mask): RetrieveHit => ({ ...hit, text: mask(hit.text) });

export function maskAnswer(answer: Answer, mask: Mask): Answer {
  return {
    ...answer,
    question: mask(answer.question),
    query: mask(answer.query),
    text: mask(answer.text),
    citations: answer.citations.map((citation) => maskCitation(citation, mask)),
    ...(answer.refusal === undefined ? {} : { refusal: { ...answer.refusal, nearest: answer.refusal.nearest.map((hit) => maskHit(hit, mask)) } }),
  };
}

type TurnTexts = Partial<Pick<ChatTurn, "content" | "citations" | "nearest" | "correction">>;

/** Of a turn, or of a change to one: only what is there. */
export function maskTurn<T extends TurnTexts>(turn: T, mask: Mask): T {
  return {
    ...turn,
    ...(turn.content === undefined ? {} : { content: mask(turn.content) }),
    ...(turn.citations === undefined ? {} : { citations: turn.citations.map((citation) => maskCitation(citation, mask)) }),
    ...(turn.nearest === undefined ? {} : { nearest: turn.nearest.map((item) => ({ ...item, text: mask(item.text) })) }),
    ...(turn.correction === undefined || turn.correction === null ? {} : { correction: mask(turn.correction) }),
  };
}

/** Arguments of a tool call: strings are masked, and numbers that are one become strings; what is no JSON is masked as text. */
export function maskJson(text: string, mask: Mask): string {
  try {
    return JSON.stringify(walk(JSON.parse(text), mask));
  } catch {
    return mask(text);
  }
}

function walk(value: unknown, mask: Mask): unknown {
  if (typeof value === "string") return mask(value);
  if (typeof value === "number") return mask(String(value)) === String(value) ? value : mask(String(value));
  if (Array.isArray(value)) return value.map((item) => walk(item, mask));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, mask)]));
}
