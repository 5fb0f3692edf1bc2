/** @file Vectors of one base in memory as byte codes and sign bits: finds the nearest to a question. Rescoring with exact vectors is the caller's. */

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
  #bits = new Uint32Array(0);
  /** 1 / length of (row − mean). */
  #inverse = new Float32Array(0);
  #mean = new Float32Array(0);
  #meanRows = 0;
  #prepared = 0;
  readonly #rowOf = new Map<number, number>();
  /** Sum of the centred unit vectors of each document. */
  readonly #groups = new Map<number, Float32Array>();
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
    const found: DenseFound[] = [];
    for (const row of rows) {
      const chunkId = this.#chunks[row] as number;
      const own = (this.#dot(centred, row) - offset) * (this.#inverse[row] as number);
      found.push({ chunkId, score: blendCloseness(own, closeness(chunkId)) + (bonus?.(chunkId) ?? 0) });
    }
    return found.sort((a, b) => b.score - a.score).slice(0, limit);
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
        closeness = cosine(centred, direction);
        known.set(group, closeness);
      }
      return closeness;
    };
  }

  /** Unit length, the mean taken away. */
  #centre(vector: Float32Array): Float32Array {
    const centred = vector.map((value, i) => value - (this.#mean[i] as number));
    let length = 0;
    for (const value of centred) length += value * value;
    const scale = 1 / Math.sqrt(length || 1);
    return centred.map((value) => value * scale);
  }

  #dot(query: Float32Array, row: number): number {
    const codes = this.#codes;
    const start = row * this.#dimensions;
    let sum = 0;
    for (let i = 0; i < query.length; i++) sum += (query[i] as number) * (codes[start + i] as number);
    return sum * (this.#scales[row] as number);
  }

  #allowedRows(isAllowed: (chunkId: number) => boolean): number[] {
    const rows: number[] = [];
    for (let row = 0; row < this.#count; row++) if (isAllowed(this.#chunks[row] as number)) rows.push(row);
    return rows;
  }

  /** Rows whose signs differ least from the question's: counting by distance keeps it one pass. */
  #nearBits(centred: Float32Array, want: number, isAllowed: (chunkId: number) => boolean): number[] {
    const words = this.#words;
    const bits = this.#bits;
    const question = new Uint32Array(words);
    for (let i = 0; i < centred.length; i++) if ((centred[i] as number) > 0) question[i >> 5] = (question[i >> 5] as number) | (1 << (i & 31));
    const distances = new Uint16Array(this.#count);
    const histogram = new Int32Array(this.#dimensions + 2);
    for (let row = 0, at = 0; row < this.#count; row++) {
      let distance = 0;
      for (let word = 0; word < words; word++, at++) {
        let x = (bits[at] as number) ^ (question[word] as number);
        x -= (x >>> 1) & 0x55555555;
        x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
        distance += Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
      }
      distances[row] = distance;
    }
    const allowed = new Uint8Array(this.#count);
    for (let row = 0; row < this.#count; row++) {
      if (!isAllowed(this.#chunks[row] as number)) continue;
      allowed[row] = 1;
      histogram[distances[row] as number] = (histogram[distances[row] as number] as number) + 1;
    }
    let cut = 0;
    for (let total = 0; cut < histogram.length - 1; cut++) {
      total += histogram[cut] as number;
      if (total >= want) break;
    }
    const rows: number[] = [];
    for (let row = 0; row < this.#count; row++) if (allowed[row] === 1 && (distances[row] as number) <= cut) rows.push(row);
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
    this.#words = Math.ceil(dimensions / 32);
    this.#count = 0;
    this.#live = 0;
    this.#prepared = 0;
    this.#meanRows = 0;
    this.#rowOf.clear();
    this.#groups.clear();
    this.#chunks = new Int32Array(0);
    this.#codes = new Int8Array(0);
    this.#scales = new Float32Array(0);
    this.#bits = new Uint32Array(0);
    this.#inverse = new Float32Array(0);
    this.#mean = new Float32Array(dimensions);
  }

  #grow(rows: number): void {
    if (rows <= this.#chunks.length) return;
    const capacity = Math.max(1024, Math.ceil(rows * 1.5));
    const copy = <T extends Int32Array | Int8Array | Float32Array | Uint32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#chunks = copy(this.#chunks, new Int32Array(capacity));
    this.#scales = copy(this.#scales, new Float32Array(capacity));
    this.#inverse = copy(this.#inverse, new Float32Array(capacity));
    this.#codes = copy(this.#codes, new Int8Array(capacity * this.#dimensions));
    this.#bits = copy(this.#bits, new Uint32Array(capacity * this.#words));
  }
}

/** A chunk's own closeness and its document's. */
export function blendCloseness(own: number, group: number | null): number {
  return group === null ? own : (1 - groupShare) * own + groupShare * group;
}

function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  let lengthA = 0;
  let lengthB = 0;
  for (let i = 0; i < a.length; i++) {
    sum += (a[i] as number) * (b[i] as number);
    lengthA += (a[i] as number) ** 2;
    lengthB += (b[i] as number) ** 2;
  }
  return sum / Math.sqrt(lengthA * lengthB || 1);
}
