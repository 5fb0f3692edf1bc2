/** @file Which sentences of the found passages speak to the question, best first. Each knows its place in its document. */
import type { RetrieveHit } from "#contracts";
import { splitSentences } from "../chunk/index.ts";
import { normalise, normaliseWithOffsets, segment } from "../text/index.ts";
import type { Question } from "./question.ts";

export type EvidenceSentence = {
  readonly hit: RetrieveHit;
  readonly hitRank: number;
  /** Offsets into the version's extracted text; `raw` is that slice. */
  readonly start: number;
  readonly end: number;
  readonly raw: string;
  /** `raw` normalised, and for each of its units the offset in `raw`. */
  readonly normal: string;
  readonly offsets: Int32Array;
  /** Share of the question's weight found in the sentence itself, and found only beside it (neighbours, titles). */
  readonly coverage: number;
  readonly nearby: number;
  readonly score: number;
};

export type Evidence = {
  /** Best first. */
  readonly sentences: readonly EvidenceSentence[];
  /** How telling a pair of characters is among the passages at hand. */
  readonly weigh: (pair: string) => number;
  /** Share of the question's weight each passage covers, in hit order. */
  readonly passageCoverage: readonly number[];
  /** Share of the question's weight that no passage holds. */
  readonly missing: number;
  /** The same over the question's rare words only: names, numbers, Latin words. */
  readonly missingNames: number;
  /** Share of what the question talks about (its gap left out, every piece counted alike) that the best single passage holds. */
  readonly held: number;
  /** The question holds no Chinese. */
  readonly latin: boolean;
};

const passagesRead = 6;
const quantityBonus = 0.1;

/** Words and pairs of characters of a text: what question and sentence are compared by. */
export function unitsOf(text: string): Set<string> {
  const units = new Set(segment(text));
  const bare = normalise(text).replace(/[^\p{L}\p{N}]+/gu, " ");
  for (const run of bare.split(" ")) for (let i = 0; i + 1 < run.length; i++) units.add(`#${run.slice(i, i + 2)}`);
  return units;
}

export function readEvidence(question: Question, hits: readonly RetrieveHit[]): Evidence {
  const read = hits.slice(0, passagesRead);
  const seen = new Set<string>();
  const parts = read.map((hit) =>
    splitSentences(hit.text).flatMap((span) => {
      const key = `${hit.versionId}:${hit.start + span.start}`;
      if (seen.has(key)) return []; // overlap of neighbouring chunks
      seen.add(key);
      const raw = hit.text.slice(span.start, span.end);
      return [{ start: hit.start + span.start, end: hit.start + span.end, raw, units: unitsOf(raw) }];
    }),
  );
  const headings = read.map((hit) => unitsOf([hit.title, ...hit.context, hit.label ?? ""].join(" ")));
  const counts = new Map<string, number>();
  for (const { units } of parts.flat()) for (const unit of units) counts.set(unit, (counts.get(unit) ?? 0) + 1);
  const total = parts.flat().length;
  const rare = (unit: string): number => Math.log(1 + (total + 10) / ((counts.get(unit) ?? 0) + 2));
  const weights = new Map([...unitsOf(question.text)].map((unit) => [unit, rare(unit) * (unit.startsWith("#") ? 0.5 : 1)]));
  const whole = sum(weights.values()) || 1;
  const topScore = read[0]?.score ?? 1;
  const sentences = parts.flatMap((sentencesOfHit, hitRank) =>
    sentencesOfHit.map((sentence, at): EvidenceSentence => {
      let coverage = 0;
      let nearby = 0;
      for (const [unit, weight] of weights) {
        if (sentence.units.has(unit)) coverage += weight;
        else if (
          sentencesOfHit[at - 1]?.units.has(unit) === true ||
          sentencesOfHit[at + 1]?.units.has(unit) === true ||
          headings[hitRank]?.has(unit) === true
        )
          nearby += weight;
      }
      coverage /= whole;
      nearby /= whole;
      const hit = read[hitRank] as RetrieveHit;
      const standing = topScore > 0 ? Math.max(0, hit.score / topScore) : 1 / (1 + hitRank);
      const { text: normal, offsets } = normaliseWithOffsets(sentence.raw);
      return {
        hit,
        hitRank,
        start: sentence.start,
        end: sentence.end,
        raw: sentence.raw,
        normal,
        offsets,
        coverage,
        nearby,
        score: coverage + 0.5 * nearby + 0.5 * standing + bonus(question, normal, hit),
      };
    }),
  );
  sentences.sort((a, b) => b.score - a.score || a.hitRank - b.hitRank || a.start - b.start);
  const passageUnits = parts.map((list, rank) => new Set([...(headings[rank] ?? []), ...list.flatMap((sentence) => [...sentence.units])]));
  const topic = topicOf(`${question.text.slice(0, question.holeStart)} ${question.text.slice(question.holeEnd)}`);
  const names = new Set([...weights.keys()].filter(isName));
  return {
    sentences,
    weigh: (pair) => rare(`#${pair}`),
    passageCoverage: passageUnits.map((units) => share(weights, whole, (unit) => units.has(unit))),
    missing: share(weights, whole, (unit) => !passageUnits.some((units) => units.has(unit))),
    missingNames: names.size === 0 ? 0 : [...names].filter((unit) => passageUnits[0]?.has(unit) !== true).length / names.size,
    latin: !/\p{Script=Han}/u.test(question.text),
    held: topic.size === 0 ? 0 : Math.max(0, ...passageUnits.map((units) => [...topic].filter((unit) => units.has(unit)).length / topic.size)),
  };
}

/** What the words are about. Pairs of Latin letters and English's small words are in every English text: they show nothing. */
function topicOf(text: string): Set<string> {
  return new Set([...unitsOf(text.replace(framing, " "))].filter((unit) => !/^#[a-z]{2}$/.test(unit) && !smallWords.has(unit)));
}

const smallWords = new Set(
  "a an the of in on at to for from by with and or is are was were be been do does did has have had who whom whose what which when where why how that this it its as not can may must will would should there".split(
    " ",
  ),
);

/** Words that frame a question and that no document needs to repeat: "at most", "may", "in general". */
const framing = /最(?:长|短|多|少|高|低|大|小|晚|早|迟|快|慢)|不?可以|不?应[当该]|需要|必须|能[够否]?|是否|请问|一般|通常|到底|究竟|[吗呢啊]/g;

const listAsked = /哪些|哪几|什么(?:情形|情况|条件|材料)|(?:情形|条件|材料|范围|内容)(?:有|包括|是)?$/;

const quantity = /\d|[一二三四五六七八九十百千万两]+(?:个?[日天月年倍元周岁次人件]|%|％|分之)/;

/** "Which cases …?" is answered by the sentence that opens the list, "how long …?" by one with a number; an edition no longer in force stands back. */
function bonus(question: Question, sentence: string, hit: RetrieveHit): number {
  const opensList = listAsked.test(question.text) && /(?:下列|以下|包括)[^。]*[:：]\s*$/u.test(sentence) ? 0.15 : 0;
  const counts = (question.kind === "number" || question.kind === "time") && quantity.test(sentence) ? quantityBonus : 0;
  return opensList + counts - (hit.edition?.state === "superseded" ? 0.2 : 0);
}

/** Numbers, Latin words, long words: what cannot be said in other words. */
function isName(unit: string): boolean {
  return !unit.startsWith("#") && (/^[a-z0-9]/.test(unit) ? unit.length > 1 : unit.length >= 3);
}

function share(weights: ReadonlyMap<string, number>, whole: number, is: (unit: string) => boolean): number {
  let part = 0;
  for (const [unit, weight] of weights) if (is(unit)) part += weight;
  return part / whole;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
