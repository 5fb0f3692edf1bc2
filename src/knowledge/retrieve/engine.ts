/** @file One question against the index, in the thread that owns the connection: candidates by words and by meaning, exact scores, fusion. */
import { StarboxError } from "#base";
import type { RetrieveHit, RetrieveRequest, Viewer } from "#contracts";
import { blendCloseness, type DenseFound, DenseIndex } from "./dense-index.ts";
import { dot } from "./dot.ts";
import { type BaseSample, createLexicalScorer, type LexicalScorer, sampleBase } from "./lexical-score.ts";
import { centre, collapse, type Scored, scoreCandidates } from "./rank.ts";
import type { HitRow, IndexReader, Scope } from "./reader.ts";
import { createScopes, type OpenScope, type Scopes } from "./scopes.ts";
import { WordSearch } from "./word-search.ts";
import { boundWords, type QueryWord, WordCounts, weighWords } from "./words.ts";

/** Candidates each list brings into the exact scoring. */
const listLimit = 100;
/** Documents with at least this many chunks have a direction of their own among the vectors. */
const groupChunks = 8;
/** Per e-fold of works that cite it: what a base refers to most is what people mean. Measured; 0 for a base without citations. */
const authorityWeight = 0.03;
const sampleSize = 400;
const keptSamples = 64;

export type WordsRequest = Pick<RetrieveRequest, "kbIds" | "query" | "viewer" | "filter" | "limit">;
export type WordsDone = { readonly ms: number };
export type RankDone = {
  readonly hits: readonly RetrieveHit[];
  readonly dense: boolean;
  readonly ms: { readonly dense: number; readonly fuse: number };
};

type Pending = {
  readonly viewer: Viewer;
  readonly scope: OpenScope;
  readonly words: readonly QueryWord[];
  readonly scorer: LexicalScorer;
  readonly lexical: readonly number[];
};

export class RetrievalEngine {
  readonly #reader: IndexReader;
  /** Version of each chunk, by chunk id: a chunk never changes its version, so this only grows. */
  #versions = new Int32Array(4096);
  #lastChunk = 0;
  /** Chunks read; removed ones stay counted until the thread starts anew, which moves no rarity that matters. */
  #total = 0;
  /** Chunks of each version, by version number. */
  #sizes = new Int32Array(256);
  /** Bonus of each version's chunks, by version number. */
  #authority = new Map<number, number>();
  #authorityAt = -1;
  /** Base of each version, by version number, and the chunks of each base. */
  #bases = new Int32Array(256);
  readonly #baseChunks = new Map<number, number>();
  /** By the bases asked: texts of one kind say nothing of how common words are in another. */
  readonly #sampled = new Map<string, { readonly at: number; readonly sample: BaseSample }>();
  readonly #dense = new Map<number, DenseIndex>();
  readonly #pending = new Map<number, Pending>();
  readonly #words: WordSearch;
  readonly #counts: WordCounts;
  readonly #scopes: Scopes;

  constructor(reader: IndexReader) {
    this.#reader = reader;
    this.#words = new WordSearch(reader);
    this.#counts = new WordCounts(reader.countWords);
    this.#scopes = createScopes(reader, (chunkId) => this.#versions[chunkId] ?? 0);
  }

  /** First half, while the question is being embedded: who may see what, and the candidates by words. */
  findWords(id: number, request: WordsRequest): WordsDone {
    const started = performance.now();
    const { limit } = request;
    this.#reader.snapshot(() => {
      this.#readChunks();
      this.#readAuthority();
      const scope = this.#scopes.open(request);
      const total = Math.max(1, this.#total);
      const dictionary = this.#reader.readDictionary(scope.kbs);
      const words = weighWords(request.query, dictionary, (list) => this.#counts.of(list, total), total);
      const scorer = createLexicalScorer(request.query, words, this.#sample(scope.kbs));
      const lexical = scope.kbs.length === 0 ? [] : this.#words.find(boundWords(words, total), Math.max(limit, listLimit), scope.isAllowed);
      this.#pending.set(id, { viewer: request.viewer, scope, words, scorer, lexical });
    });
    return { ms: performance.now() - started };
  }

  drop(id: number): void {
    this.#pending.delete(id);
  }

  /** Second half, with the question's vector (null: words only). */
  rank(id: number, vector: Float32Array | null, limit: number): RankDone {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending === undefined) throw lostSearch();
    const started = performance.now();
    return this.#reader.snapshot(() => {
      const dense = vector === null ? [] : this.#findDense(pending.scope, vector, Math.max(limit, listLimit));
      const afterDense = performance.now();
      const candidates = this.#reader.readCandidates([...new Set([...pending.lexical, ...dense.map((found) => found.chunkId)])]);
      const scored = scoreCandidates({
        candidates,
        scorer: pending.scorer,
        lexical: pending.lexical,
        dense: dense.map((found) => found.chunkId),
        vector,
        ...this.#geometry(pending.scope, vector),
        bonus: (chunkId) => this.#bonusOf(chunkId),
        superseded: pending.scope.superseded,
      });
      const hits = this.#present(scored, limit, pending.viewer);
      return { hits, dense: dense.length > 0, ms: { dense: afterDense - started, fuse: performance.now() - afterDense } };
    });
  }

  /** The vector half alone, for measuring it against exact vectors: whose chunks count, what the index finds, and what it should have found them by. */
  openDense(request: Scope): {
    readonly chunkIds: readonly number[];
    readonly find: (vector: Float32Array) => readonly number[];
    readonly scoreOf: (question: Float32Array) => (chunkId: number, vector: Float32Array) => number;
  } {
    return this.#reader.snapshot(() => {
      this.#readChunks();
      this.#readAuthority();
      const scope = this.#scopes.open(request);
      const { isAllowed } = scope;
      for (const kb of scope.kbs) this.#denseOf(kb);
      const chunkIds: number[] = [];
      for (let id = 1; id <= this.#lastChunk; id++) if (isAllowed(id)) chunkIds.push(id);
      const find = (vector: Float32Array): readonly number[] => this.#findDense(scope, vector, listLimit).map((found) => found.chunkId);
      const scoreOf = (question: Float32Array) => {
        const { mean, groupOf } = this.#geometry(scope, question);
        const towards = centre(question, mean);
        return (chunkId: number, vector: Float32Array): number =>
          blendCloseness(dot(towards, centre(vector, mean)), groupOf(chunkId)) + this.#bonusOf(chunkId);
      };
      return { chunkIds, find, scoreOf };
    });
  }

  #readChunks(): void {
    this.#reader.eachChunk(this.#lastChunk, (chunkId, version, kb) => {
      if (chunkId >= this.#versions.length) this.#versions = grown(this.#versions, chunkId);
      this.#versions[chunkId] = version;
      this.#total++;
      if (version >= this.#sizes.length) {
        this.#sizes = grown(this.#sizes, version);
        this.#bases = grown(this.#bases, version);
      }
      this.#sizes[version] = (this.#sizes[version] as number) + 1;
      this.#bases[version] = kb;
      this.#baseChunks.set(kb, (this.#baseChunks.get(kb) ?? 0) + 1);
      this.#lastChunk = chunkId;
    });
    this.#words.update();
  }

  /** Evenly over the chunks of the bases asked; taken again when they have grown by a quarter. */
  #sample(kbs: readonly number[]): BaseSample {
    const key = [...kbs].sort((a, b) => a - b).join(" ");
    const chunks = kbs.reduce((sum, kb) => sum + (this.#baseChunks.get(kb) ?? 0), 0);
    const known = this.#sampled.get(key);
    if (known !== undefined && chunks < known.at * 1.25) return known.sample;
    const asked = new Set(kbs);
    const step = Math.max(1, Math.floor(chunks / sampleSize));
    const ids: number[] = [];
    for (let id = this.#lastChunk, nth = 0; id > 0 && ids.length < sampleSize; id--)
      if (asked.has(this.#bases[this.#versions[id] as number] as number) && nth++ % step === 0) ids.push(id);
    const sample = sampleBase(this.#reader.readCandidates(ids));
    if (this.#sampled.size >= keptSamples) this.#sampled.clear();
    this.#sampled.set(key, { at: chunks, sample });
    return sample;
  }

  #findDense({ kbs, isAllowed }: OpenScope, vector: Float32Array, limit: number): readonly DenseFound[] {
    const found: DenseFound[] = [];
    const bonus = (chunkId: number): number => this.#bonusOf(chunkId);
    for (const kb of kbs) found.push(...this.#denseOf(kb).find({ vector, limit, isAllowed, bonus }));
    return found.sort((a, b) => b.score - a.score).slice(0, limit);
  }

  #denseOf(kb: number): DenseIndex {
    let index = this.#dense.get(kb);
    if (index === undefined) {
      index = new DenseIndex((chunkId) => this.#groupOf(chunkId));
      this.#dense.set(kb, index);
    }
    const target = index;
    this.#reader.eachVector(kb, target.seq, (seq, chunkId, code) => target.add(seq, chunkId, code));
    target.prepare();
    return target;
  }

  #groupOf(chunkId: number): number {
    const version = this.#versions[chunkId] ?? 0;
    return (this.#sizes[version] ?? 0) >= groupChunks ? version : 0;
  }

  #bonusOf(chunkId: number): number {
    return this.#authority.get(this.#versions[chunkId] ?? 0) ?? 0;
  }

  /** Counted again when the base has grown by a tenth: a few more citations change nothing. */
  #readAuthority(): void {
    if (this.#authorityAt >= 0 && this.#lastChunk <= this.#authorityAt * 1.1) return;
    this.#authority = new Map(this.#reader.countCitations().map(({ version, works }) => [version, authorityWeight * Math.log1p(works)]));
    this.#authorityAt = this.#lastChunk;
  }

  /** Mean of the largest base asked (the vectors of one embedder share their cone), and closeness to whole documents. */
  #geometry(
    { kbs }: OpenScope,
    vector: Float32Array | null,
  ): { readonly mean: Float32Array | null; readonly groupOf: (chunkId: number) => number | null } {
    const indexes = kbs.flatMap((kb) => this.#dense.get(kb) ?? []).sort((a, b) => b.size - a.size);
    const closeness = vector === null ? [] : indexes.map((index) => index.groupCloseness(vector));
    return { mean: indexes[0]?.mean ?? null, groupOf: (chunkId) => closeness.map((of) => of(chunkId)).find((value) => value !== null) ?? null };
  }

  #present(scored: readonly Scored[], limit: number, viewer: Viewer): RetrieveHit[] {
    const kept = collapse(scored, limit);
    const rows = new Map<number, HitRow>(
      this.#reader
        .readHits(
          kept.map((item) => item.chunkId),
          viewer,
        )
        .map((row) => [row.chunkId, row]),
    );
    return kept.flatMap((item) => {
      const row = rows.get(item.chunkId);
      return row === undefined ? [] : [presentHit(row, item)];
    });
  }
}

/** Larger, so that `at` has its place. */
function grown(array: Int32Array<ArrayBuffer>, at: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.ceil(at * 1.5) + 1);
  larger.set(array);
  return larger;
}

/** The thread that held the candidates is gone: an error, never an empty result that looks like an answer. */
const lostSearch = (): StarboxError =>
  new StarboxError("internal", "The search thread stopped between finding words and ranking.", {
    hint: "Ask again; if it happens twice, see the log.",
    zh: { message: "检索线程在找到词语之后、排序之前停止。", hint: "请重试；若再次发生，请查看日志。" },
  });

function presentHit(row: HitRow, item: Scored): RetrieveHit {
  const { path, date, edition, supersededBy, ...rest } = row;
  return {
    ...rest,
    document: path,
    score: item.score,
    ranks: { lexical: item.lexicalRank, dense: item.denseRank, rerank: null },
    cosine: item.cosine,
    edition: edition === null ? null : { state: edition, date, ...(supersededBy === null ? {} : { supersededBy }) },
  };
}
