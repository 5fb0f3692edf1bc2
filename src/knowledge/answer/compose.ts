/** @file The words a person reads: short answer, whole sentences with their place named, or a refusal. Every sentence carries its citation. */
import type { Citation, RetrieveHit } from "#contracts";
import { normalise } from "../text/index.ts";
import type { Choice } from "./choose.ts";
import type { Evidence, EvidenceSentence } from "./evidence.ts";

/** One sentence of the answer with what proves it. */
export type ComposedSentence = { readonly text: string; readonly source: EvidenceSentence };

const articleLabel = /^第.{1,14}[条條]/u;
const explainAsked = /介绍|解释|说明|概述|总结|归纳|描述|简述|阐述|区别|有哪些|哪些(?!人)|\b(?:explain|describe|summari[sz]e|overview|difference)\b/;

export type Style = "short" | "sentences";

/** Rules and explanations are quoted in whole sentences; facts are answered briefly. */
export function styleOf(question: string, evidence: Evidence): Style {
  const top = evidence.sentences[0];
  if (top !== undefined && isArticle(top.hit)) return "sentences";
  return explainAsked.test(question) ? "sentences" : "short";
}

export function isArticle(hit: RetrieveHit): boolean {
  return hit.label !== null && articleLabel.test(hit.label);
}

/** The chosen piece in the document's own letters. */
export function composeShort(choice: Choice, sentences: readonly EvidenceSentence[]): ComposedSentence[] {
  const source = sentences[choice.sentence];
  if (source === undefined) return [];
  const start = source.offsets[choice.start] as number;
  const lastUnit = source.offsets[choice.end - 1] as number;
  const end = Math.max(lastUnit + 1, source.offsets[choice.end] as number);
  const text = source.raw.slice(start, end).replace(/^[\s,，、;；:：]+|[\s,，、;；:：。]+$/gu, "");
  return [{ text, source }];
}

const mostSentences = 2;
const mostItems = 8;

/** Best sentence with what belongs to it: the list it opens, close sentences of its passage, a second article that fits as well. */
export function composeSentences(evidence: Evidence): ComposedSentence[] {
  const top = evidence.sentences[0];
  if (top === undefined) return [];
  const siblings = evidence.sentences.filter((sentence) => sentence.hit === top.hit).sort((a, b) => a.start - b.start);
  const chosen = new Set<EvidenceSentence>([top]);
  for (const sentence of siblings) if (chosen.size < mostSentences && sentence.score >= 0.88 * top.score) chosen.add(sentence);
  for (const sentence of [...chosen]) for (const item of listAfter(sentence, siblings)) chosen.add(item);
  const first = [...chosen].sort((a, b) => a.start - b.start);
  const other = isArticle(top.hit)
    ? evidence.sentences.find(
        (sentence) =>
          sentence.hit !== top.hit && isArticle(sentence.hit) && sentence.score >= 0.85 * top.score && bare(sentence.normal) !== bare(top.normal),
      )
    : undefined;
  const all = other === undefined ? first : [...first, other];
  let named: RetrieveHit | null = null;
  return all.map((source) => {
    const name = isArticle(source.hit) && source.hit !== named ? placeOf(source.hit) : "";
    named = source.hit;
    return { text: name + withoutLabel(source.raw, source.hit.label), source };
  });
}

/** The numbered items after a sentence that ends with a colon. */
function listAfter(sentence: EvidenceSentence, siblings: readonly EvidenceSentence[]): EvidenceSentence[] {
  if (!/[:：]$/.test(sentence.raw)) return [];
  const items: EvidenceSentence[] = [];
  for (const next of siblings.filter((sibling) => sibling.start >= sentence.end)) {
    if (!/^\s*[（(]?[一二三四五六七八九十\d]+[)）.、]/.test(next.raw) || items.length >= mostItems) break;
    items.push(next);
  }
  return items;
}

const bare = (text: string): string => text.replace(/[^\p{L}\p{N}]/gu, "");

function placeOf(hit: RetrieveHit): string {
  const old = hit.edition?.state === "superseded" ? `（${hit.edition.date ?? ""}旧版，已被取代）` : "";
  const title = hit.context[0] ?? hit.title;
  return `${title.startsWith("《") ? title : `《${title}》`}${old}${hit.label ?? ""}：`;
}

function withoutLabel(raw: string, label: string | null): string {
  const text = raw
    .trim()
    .replace(/^#+\s*/, "")
    .replace(/\s*\n\s*/g, " ");
  return label !== null && text.startsWith(label) ? text.slice(label.length).replace(/^[\s*　:：]+/u, "") : text;
}

export function citationOf(marker: number, source: EvidenceSentence): Citation {
  const { hit } = source;
  return {
    marker,
    kbId: hit.kbId,
    documentId: hit.documentId,
    versionId: hit.versionId,
    document: hit.document,
    title: hit.title,
    page: hit.page,
    start: source.start,
    end: source.end,
    quote: source.raw,
    edition: hit.edition,
  };
}

/** The plain words of a refusal, in the question's own script. */
export function refusalText(question: string, nearest: readonly RetrieveHit[]): string {
  const places = [...new Set(nearest.map((hit) => [hit.title, hit.label].filter((part) => part !== null && part !== "").join(" ")))].slice(0, 3);
  if (!/\p{Script=Han}/u.test(question)) {
    return `The documents do not say.${places.length === 0 ? "" : ` Closest: ${places.join("; ")}.`}`;
  }
  const traditional = normalise(question) !== question.normalize("NFKC").toLowerCase();
  if (traditional) return `文件中沒有能回答這個問題的內容。${places.length === 0 ? "" : `最接近的是：${places.join("；")}。`}`;
  return `文档中没有能回答这个问题的内容。${places.length === 0 ? "" : `最接近的是：${places.join("；")}。`}`;
}
