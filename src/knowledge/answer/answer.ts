/** @file A question to a cited answer: find, weigh, refuse or pick the words, check, cite. The one path for chat, API, command line and benchmarks. */
import { StarboxError } from "#base";
import type { Answer, Answerer, AnswerPart, AnswerRequest, Citation, RetrieveHit, Retriever, Usage, Viewer } from "#contracts";
import { chooseSpan, withVote } from "./choose.ts";
import { type ComposedSentence, citationOf, composeSentences, composeShort, refusalText, styleOf } from "./compose.ts";
import { type CuratedSource, findCurated } from "./curated.ts";
import { type Evidence, readEvidence } from "./evidence.ts";
import { completeQuestion } from "./follow-up.ts";
import { askModel, promptVersion } from "./prompt.ts";
import { type Question, readQuestion } from "./question.ts";
import { confidenceOf, evidenceScore, refusalThreshold } from "./refusal.ts";
import { type ScoredSpan, scoreSpans } from "./span-model.ts";

export type AnswererDeps = {
  readonly retriever: Retriever;
  /** Fixed answers of a base that the viewer may have, newest first. */
  readonly readCurated?: (kbId: string, viewer: Viewer) => readonly CuratedSource[];
  /** The page of a place in a version's text: a passage may run over several. Without it a citation names its passage's first page. */
  readonly pageAt?: (versionId: string, offset: number) => number | null;
  readonly now?: () => number;
};

const passagesAsked = 10;
const sentencesRead = 3;
/** The model is not asked when one piece already holds nearly all belief. */
const certain = 0.92;
const noUsage: Usage = { promptTokens: 0, completionTokens: 0 };

export function createAnswerer(deps: AnswererDeps): Answerer {
  const now = deps.now ?? (() => performance.now());
  return { answer: (request) => run(deps, now, request) };
}

/** What is known so far of one answer. */
type Draft = {
  readonly started: number;
  readonly question: string;
  readonly query: string;
  readonly hits: readonly RetrieveHit[];
  readonly retrieveMs: number;
};

async function* run(deps: AnswererDeps, now: () => number, request: AnswerRequest): AsyncGenerator<AnswerPart> {
  const started = now();
  const { question, query } = completeQuestion(request.messages);
  if (question === "") {
    throw new StarboxError("invalid_input", "The last message must be a question, got nothing.", {
      hint: "Send at least one user message with text.",
      zh: { message: "最后一条消息应当是问题，但内容为空。", hint: "请至少发送一条有文字的用户消息。" },
    });
  }
  const curated = request.kbIds.flatMap((kbId) => deps.readCurated?.(kbId, request.viewer) ?? []);
  const fixed = findCurated(question, curated);
  if (fixed !== null) {
    const draft: Draft = { started, question, query, hits: [], retrieveMs: 0 };
    yield { type: "text-delta", text: fixed.answer };
    yield { type: "finish", answer: finish(draft, now(), { text: fixed.answer, origin: "curated", confidence: 1, firstTokenAt: now() }) };
    return;
  }
  const found = await deps.retriever.retrieve({
    kbIds: request.kbIds,
    query,
    limit: passagesAsked,
    viewer: request.viewer,
    ...(request.filter === undefined ? {} : { filter: request.filter }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  const draft: Draft = { started, question, query, hits: found.hits, retrieveMs: Math.round(now() - started) };
  yield { type: "retrieved", query, hits: found.hits };
  yield* answerFrom(deps, draft, now, request);
}

async function* answerFrom(deps: AnswererDeps, draft: Draft, now: () => number, request: AnswerRequest): AsyncGenerator<AnswerPart> {
  const asked = readQuestion(draft.query);
  const evidence = readEvidence(asked, draft.hits);
  const sentences = evidence.sentences.slice(0, sentencesRead);
  const spans = scoreSpans(
    asked,
    sentences.map((sentence, rank) => ({ text: sentence.normal, rank, coverage: sentence.coverage, score: sentence.score })),
    evidence.weigh,
  );
  const score = evidenceScore(evidence, spans, draft.hits);
  const confidence = confidenceOf(score);
  if (evidence.sentences.length === 0 || score < refusalThreshold) {
    yield* refuse(draft, now, confidence);
    return;
  }
  const written = await write(asked, evidence, spans, draft, request);
  const { sentences: composed, usage, model } = written;
  if (composed.length === 0) {
    yield* refuse(draft, now, confidence);
    return;
  }
  const firstTokenAt = now();
  const citations: Citation[] = [];
  let text = "";
  for (const sentence of composed) {
    const passage = citationOf(citations.length + 1, sentence.source);
    const citation = passage.page === null ? passage : { ...passage, page: deps.pageAt?.(passage.versionId, passage.start) ?? passage.page };
    citations.push(citation);
    const piece = `${text === "" ? "" : "\n"}${sentence.text}[${citation.marker}]`;
    text += piece;
    yield { type: "text-delta", text: piece };
    yield { type: "citation", citation };
  }
  const origin = model === null ? "extracted" : "generated";
  yield { type: "finish", answer: finish(draft, now(), { text, origin, confidence, firstTokenAt, citations, usage, model }) };
}

type Written = { readonly sentences: readonly ComposedSentence[]; readonly usage: Usage; readonly model: string | null };

/** The words of the answer. The model's reading is one vote among the evidence's own words, so nothing unsupported can come out. */
async function write(asked: Question, evidence: Evidence, spans: readonly ScoredSpan[], draft: Draft, request: AnswerRequest): Promise<Written> {
  const sentences = evidence.sentences.slice(0, sentencesRead);
  if (styleOf(asked.text, evidence) === "sentences") return { sentences: composeSentences(evidence), usage: noUsage, model: null };
  const texts = sentences.map((sentence) => sentence.normal);
  const sure = (spans[0]?.probability ?? 0) >= certain;
  if (request.model === null || sure) return { sentences: short(spans, "alone", texts, evidence), usage: noUsage, model: null };
  try {
    const { text, usage } = await askModel(request.model, texts[0] ?? "", draft.query, {
      ...(request.viewer.person === null ? {} : { person: request.viewer.person }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    return { sentences: short(withVote(spans, text), "voted", texts, evidence), usage, model: request.model.id };
  } catch (error) {
    if (request.signal?.aborted === true || StarboxError.is(error, "cancelled")) throw error;
    // The evidence is here and a model is only a second reader: a broken or busy engine must not cost the answer.
    return { sentences: short(spans, "alone", texts, evidence), usage: noUsage, model: null };
  }
}

function short(spans: readonly ScoredSpan[], reading: "alone" | "voted", texts: readonly string[], evidence: Evidence): ComposedSentence[] {
  const choice = chooseSpan(spans, texts, reading);
  return choice === null ? composeSentences(evidence) : composeShort(choice, evidence.sentences);
}

function* refuse(draft: Draft, now: () => number, confidence: number): Generator<AnswerPart> {
  const nearest = draft.hits.slice(0, 3);
  const text = refusalText(draft.question, nearest);
  const firstTokenAt = now();
  yield { type: "text-delta", text };
  const reason = draft.hits.length === 0 ? "nothing-found" : "evidence-too-weak";
  yield { type: "finish", answer: { ...finish(draft, now(), { text, origin: "refused", confidence, firstTokenAt }), refusal: { reason, nearest } } };
}

type Ending = {
  readonly text: string;
  readonly origin: Answer["origin"];
  readonly confidence: number;
  readonly firstTokenAt: number;
  readonly citations?: readonly Citation[];
  readonly usage?: Usage;
  readonly model?: string | null;
};

function finish(draft: Draft, at: number, ending: Ending): Answer {
  return {
    question: draft.question,
    query: draft.query,
    text: ending.text,
    refused: ending.origin === "refused",
    citations: ending.citations ?? [],
    origin: ending.origin,
    confidence: ending.confidence,
    usage: ending.usage ?? noUsage,
    ms: { retrieve: draft.retrieveMs, firstToken: Math.round(ending.firstTokenAt - draft.started), total: Math.round(at - draft.started) },
    lineage: {
      model: ending.model ?? null,
      adapter: null,
      promptVersion,
      passages: draft.hits.map((hit) => ({
        documentId: hit.documentId,
        versionId: hit.versionId,
        chunkId: hit.chunkId,
        start: hit.start,
        end: hit.end,
      })),
    },
  };
}
