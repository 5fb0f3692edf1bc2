/** @file Vectors of one base in memory as byte codes and sign bits: finds the nearest to a question. Rescoring with exact vectors is the caller's. */

import { countDifferences } from "./bit-count.ts";
import { dot } from "./dot.ts";
import { largestFirst } from "./select.ts";

/** Rows above which sign bits choose whom to look at; below, every code is compared. */
const exhaustiveRows = 4000;
/** How many rows the bits let through. Measured: recall@10 of the whole way is in docs/lab.md. */
const shortlist = (limit: number): number => Math.max(1500, limit * 8);

/** Chunks at which a base's mean counts half. */
const trustedRows = 30;
/** How much of a chunk's closeness is its document's: an article of the right law before a look-alike elsewhere. Measured. */
const groupShare = 0.15;

export type DenseFound = { readonly chunkId: number /** Centred cosine, with the document's share and `bonus`. */; readonly score: number };

export type DenseQuery = {
  readonly vector: Float32Array;
  readonly limit: number;
  /** Asked before a row can count, so a filter costs no recall. */
  readonly isAllowed: (chunkId: number) => boolean;
  /** Added to a chunk's closeness, whatever the question. */
  readonly bonus?: (chunkId: number) => number;
};

/**
 * Rows are [scale × int8[dimensions]]. These embedders crowd all vectors into a narrow cone, so the mean is
 * subtracted: for the sign bits (which would else all agree) and for the score.
 */
export class DenseIndex {
  #dimensions = 0;
  #words = 0;
  #count = 0;
  #live = 0;
  #chunks = new Int32Array(0);
  #codes = new Int8Array(0);
  #scales = new Float32Array(0);
  #bits = new Int32Array(0);
  /** 1 / length of (row − mean). */
  #inverse = new Float32Array(0);
  #mean = new Float32Array(0);
  #meanRows = 0;
  #prepared = 0;
  #distances = new Uint16Array(0);
  #mask: { readonly isAllowed: unknown; readonly rows: Uint8Array } = { isAllowed: null, rows: new Uint8Array(0) };
  readonly #rowOf = new Map<number, number>();
  /** Sum of the centred unit vectors of each document. */
  readonly #groups = new Map<number, Float32Array>();
  readonly #groupLengths = new Map<number, number>();
  readonly #groupOf: (chunkId: number) => number;
  /** The last change seen; the next load starts behind it. */
  seq = 0;

  /** `groupOf`: the document (version) a chunk belongs to, 0 where it is too small to have a direction of its own. */
  constructor(groupOf: (chunkId: number) => number) {
    this.#groupOf = groupOf;
  }

  get size(): number {
    return this.#live;
  }

  get mean(): Float32Array {
    return this.#mean;
  }

  /** A later row of the same chunk replaces the earlier one. */
  add(seq: number, chunkId: number, code: Uint8Array): void {
    const dimensions = code.byteLength - 4;
    if (dimensions !== this.#dimensions) this.#reset(dimensions); // another embedder took over
    this.seq = seq;
    let row = this.#rowOf.get(chunkId);
    if (row === undefined) {
      row = this.#count++;
      this.#grow(this.#count);
      this.#rowOf.set(chunkId, row);
      this.#live++;
    }
    this.#chunks[row] = chunkId;
    this.#scales[row] = new DataView(code.buffer, code.byteOffset).getFloat32(0, true);
    this.#codes.set(new Int8Array(code.buffer, code.byteOffset + 4, dimensions), row * dimensions);
    this.#prepared = Math.min(this.#prepared, row);
  }

  /** Call after adding: brings mean, lengths and bits up to date. */
  prepare(): void {
    if (this.#prepared >= this.#count) return;
    if (this.#count > this.#meanRows * 1.2) this.#computeMean();
    for (let row = this.#prepared; row < this.#count; row++) this.#prepareRow(row);
    this.#prepared = this.#count;
  }

  /** Nearest first. */
  find({ vector, limit, isAllowed, bonus }: DenseQuery): DenseFound[] {
    if (this.#count === 0 || vector.length !== this.#dimensions) return [];
    const centred = this.#centre(vector);
    const rows = this.#count <= exhaustiveRows ? this.#allowedRows(isAllowed) : this.#nearBits(centred, shortlist(limit), isAllowed);
    let offset = 0;
    for (let i = 0; i < centred.length; i++) offset += (centred[i] as number) * (this.#mean[i] as number);
    const closeness = this.groupCloseness(vector);
    const scores = new Float64Array(rows.length);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const chunkId = this.#chunks[row] as number;
      const own = (this.#dot(centred, row) - offset) * (this.#inverse[row] as number);
      scores[i] = blendCloseness(own, closeness(chunkId)) + (bonus?.(chunkId) ?? 0);
    }
    return largestFirst(scores, limit).map((i) => ({ chunkId: this.#chunks[rows[i] as number] as number, score: scores[i] as number }));
  }

  /** Closeness of a question to the documents that chunks belong to; null where a document is too small to have a direction. */
  groupCloseness(vector: Float32Array): (chunkId: number) => number | null {
    if (this.#dimensions !== vector.length) return () => null;
    const centred = this.#centre(vector);
    const known = new Map<number, number>();
    return (chunkId) => {
      const group = this.#groupOf(chunkId);
      const direction = this.#groups.get(group);
      if (direction === undefined) return null;
      let closeness = known.get(group);
      if (closeness === undefined) {
        closeness = dot(centred, direction) / this.#lengthOf(group, direction);
        known.set(group, closeness);
      }
      return closeness;
    };
  }

  #lengthOf(group: number, direction: Float32Array): number {
    let length = this.#groupLengths.get(group);
    if (length === undefined) {
      length = Math.sqrt(dot(direction, direction)) || 1;
      this.#groupLengths.set(group, length);
    }
    return length;
  }

  /** Unit length, the mean taken away. */
  #centre(vector: Float32Array): Float32Array {
    const centred = vector.map((value, i) => value - (this.#mean[i] as number));
    let length = 0;
    for (const value of centred) length += value * value;
    const scale = 1 / Math.sqrt(length || 1);
    return centred.map((value) => value * scale);
  }

  /** Four sums at once: the processor need not wait for one addition before the next. */
  #dot(query: Float32Array, row: number): number {
    const codes = this.#codes;
    const size = query.length;
    let at = row * size;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let i = 0;
    for (; i + 3 < size; i += 4, at += 4) {
      a += (query[i] as number) * (codes[at] as number);
      b += (query[i + 1] as number) * (codes[at + 1] as number);
      c += (query[i + 2] as number) * (codes[at + 2] as number);
      d += (query[i + 3] as number) * (codes[at + 3] as number);
    }
    for (; i < size; i++, at++) a += (query[i] as number) * (codes[at] as number);
    return (a + b + c + d) * (this.#scales[row] as number);
  }

  #allowedRows(isAllowed: (chunkId: number) => boolean): number[] {
    const mask = this.#maskOf(isAllowed);
    const rows: number[] = [];
    for (let row = 0; row < this.#count; row++) if (mask[row] === 1) rows.push(row);
    return rows;
  }

  /** Which rows count. The same function allows the same chunks: asked again only for another one, or when rows came. */
  #maskOf(isAllowed: (chunkId: number) => boolean): Uint8Array {
    if (this.#mask.isAllowed === isAllowed && this.#mask.rows.length === this.#count) return this.#mask.rows;
    const rows = new Uint8Array(this.#count);
    for (let row = 0; row < this.#count; row++) rows[row] = isAllowed(this.#chunks[row] as number) ? 1 : 0;
    this.#mask = { isAllowed, rows };
    return rows;
  }

  /** Rows whose signs differ least from the question's: counting by distance keeps it one pass. */
  #nearBits(centred: Float32Array, want: number, isAllowed: (chunkId: number) => boolean): number[] {
    const question = new Int32Array(this.#words);
    for (let i = 0; i < centred.length; i++) if ((centred[i] as number) > 0) question[i >> 5] = (question[i >> 5] as number) | (1 << (i & 31));
    const mask = this.#maskOf(isAllowed);
    const histogram = new Int32Array(this.#dimensions + 2);
    this.#distances = countDifferences(this.#bits, question, this.#count, this.#distances);
    const distances = this.#distances;
    for (let row = 0; row < this.#count; row++) {
      const distance = distances[row] as number;
      histogram[distance] = (histogram[distance] as number) + (mask[row] as number);
    }
    let cut = 0;
    for (let total = 0; cut < histogram.length - 1; cut++) {
      total += histogram[cut] as number;
      if (total >= want) break;
    }
    const rows: number[] = [];
    for (let row = 0; row < this.#count; row++) if ((distances[row] as number) <= cut && mask[row] === 1) rows.push(row);
    return rows;
  }

  #computeMean(): void {
    const dimensions = this.#dimensions;
    const sum = new Float64Array(dimensions);
    const step = Math.max(1, Math.floor(this.#count / 20_000)); // a sample is enough
    let rows = 0;
    for (let row = 0; row < this.#count; row += step, rows++) {
      const scale = this.#scales[row] as number;
      for (let i = 0; i < dimensions; i++) sum[i] = (sum[i] as number) + (this.#codes[row * dimensions + i] as number) * scale;
    }
    // A few chunks have no cone yet, only a subject: their mean is trusted little.
    const trust = rows / (rows + trustedRows);
    this.#mean = Float32Array.from(sum, (value) => (trust * value) / rows);
    this.#meanRows = this.#count;
    this.#prepared = 0;
    this.#groups.clear();
    this.#groupLengths.clear();
  }

  #prepareRow(row: number): void {
    const dimensions = this.#dimensions;
    const scale = this.#scales[row] as number;
    let length = 0;
    for (let word = 0; word < this.#words; word++) this.#bits[row * this.#words + word] = 0;
    for (let i = 0; i < dimensions; i++) {
      const value = (this.#codes[row * dimensions + i] as number) * scale - (this.#mean[i] as number);
      length += value * value;
      const at = row * this.#words + (i >> 5);
      if (value > 0) this.#bits[at] = (this.#bits[at] as number) | (1 << (i & 31));
    }
    const inverse = 1 / Math.sqrt(length || 1);
    this.#inverse[row] = inverse;
    const group = this.#groupOf(this.#chunks[row] as number);
    if (group === 0) return;
    this.#groupLengths.delete(group);
    let direction = this.#groups.get(group);
    if (direction === undefined) {
      direction = new Float32Array(dimensions);
      this.#groups.set(group, direction);
    }
    for (let i = 0; i < dimensions; i++) {
      const value = (this.#codes[row * dimensions + i] as number) * scale - (this.#mean[i] as number);
      direction[i] = (direction[i] as number) + value * inverse;
    }
  }

  #reset(dimensions: number): void {
    this.#dimensions = dimensions;
    this.#words = 3 * Math.ceil(dimensions / 96); // counted three at a time
    this.#count = 0;
    this.#live = 0;
    this.#prepared = 0;
    this.#meanRows = 0;
    this.#rowOf.clear();
    this.#groups.clear();
    this.#groupLengths.clear();
    this.#chunks = new Int32Array(0);
    this.#codes = new Int8Array(0);
    this.#scales = new Float32Array(0);
    this.#bits = new Int32Array(0);
    this.#inverse = new Float32Array(0);
    this.#mean = new Float32Array(dimensions);
  }

  #grow(rows: number): void {
    if (rows <= this.#chunks.length) return;
    const capacity = Math.max(1024, Math.ceil(rows * 1.5));
    const copy = <T extends Int32Array | Int8Array | Float32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#chunks = copy(this.#chunks, new Int32Array(capacity));
    this.#scales = copy(this.#scales, new Float32Array(capacity));
    this.#inverse = copy(this.#inverse, new Float32Array(capacity));
    this.#codes = copy(this.#codes, new Int8Array(capacity * this.#dimensions));
    this.#bits = copy(this.#bits, new Int32Array(capacity * this.#words));
  }
}

/** A chunk's own closeness and its document's. */
export function blendCloseness(own: number, group: number | null): number {
  return group === null ? own : (1 - groupShare) * own + groupShare * group;
}
