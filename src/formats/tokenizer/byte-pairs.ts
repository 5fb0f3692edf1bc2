/** @file Byte-level byte-pair encoding (GPT-2's scheme: smollm, qwen, llama 3 …): words cut by the family's patterns, then pairs merged by rank. */
import { MergeQueue } from "./merge-queue.ts";
import { findPreTokenizer, splitWords } from "./pre-tokenizers.ts";
import { byteString, unwriteBytes, type Vocabulary } from "./vocabulary.ts";

/** Words up to this many symbols are merged by looking at all pairs: faster than a heap. */
const shortWord = 32;
const cacheEntries = 60_000;
const cachedLength = 64;

export class BytePairs {
  readonly #vocabulary: Vocabulary;
  readonly #patterns: readonly RegExp[];
  readonly #wholeWords: boolean;
  readonly #symbols = new Map<string, number>();
  /** Bytes and token (−1: none) of each symbol. */
  readonly #symbolBytes: string[] = [];
  readonly #symbolTokens: number[] = [];
  readonly #merges: PairTable;
  readonly #cache = new Map<string, Int32Array>();

  constructor(vocabulary: Vocabulary) {
    const { source } = vocabulary;
    this.#vocabulary = vocabulary;
    const { patterns, wholeWords } = findPreTokenizer(source.preTokenizer);
    this.#patterns = patterns;
    this.#wholeWords = wholeWords ?? false;
    for (let byte = 0; byte < 256; byte++) this.#symbol(String.fromCharCode(byte)); // symbol = byte for the first 256
    this.#merges = new PairTable(source.merges.length);
    source.merges.forEach((merge, rank) => {
      const cut = merge.indexOf(" ", 1);
      if (cut < 0) return;
      const [left, right] = [bytesOfPart(merge.slice(0, cut)), bytesOfPart(merge.slice(cut + 1))];
      this.#merges.add(this.#symbol(left), this.#symbol(right), rank, this.#symbol(left + right));
    });
  }

  encodeText(text: string, into: number[]): void {
    for (const word of splitWords(text, this.#patterns)) {
      let ids = this.#cache.get(word);
      if (ids === undefined) {
        ids = this.#encodeWord(byteString(word));
        if (word.length <= cachedLength) {
          if (this.#cache.size >= cacheEntries) this.#cache.clear(); // cheaper than keeping an order of use; common words are back at once
          this.#cache.set(word, ids);
        }
      }
      for (let i = 0; i < ids.length; i++) into.push(ids[i]!);
    }
  }

  #symbol(bytes: string): number {
    let symbol = this.#symbols.get(bytes);
    if (symbol === undefined) {
      symbol = this.#symbolBytes.length;
      this.#symbols.set(bytes, symbol);
      this.#symbolBytes.push(bytes);
      this.#symbolTokens.push(this.#vocabulary.find(bytes) ?? -1);
    }
    return symbol;
  }

  #encodeWord(word: string): Int32Array {
    if (this.#wholeWords) {
      const whole = this.#vocabulary.find(word);
      if (whole !== undefined) return Int32Array.of(whole);
    }
    const symbols = new Int32Array(word.length);
    for (let i = 0; i < word.length; i++) symbols[i] = word.charCodeAt(i);
    const merged = symbols.length <= shortWord ? this.#mergeShort(symbols) : this.#mergeLong(symbols);
    const ids: number[] = [];
    for (const symbol of merged) {
      const token = this.#symbolTokens[symbol]!;
      if (token >= 0) ids.push(token);
      else
        for (const byte of this.#symbolBytes[symbol]!) {
          const single = this.#vocabulary.find(byte);
          if (single !== undefined) ids.push(single);
        }
    }
    return Int32Array.from(ids);
  }

  #mergeShort(symbols: Int32Array): Int32Array {
    let length = symbols.length;
    const slots = new Int32Array(length);
    for (let i = 0; i + 1 < length; i++) slots[i] = this.#merges.find(symbols[i]!, symbols[i + 1]!);
    for (;;) {
      let best = -1;
      let bestRank = Number.POSITIVE_INFINITY;
      for (let i = 0; i + 1 < length; i++) {
        const slot = slots[i]!;
        if (slot >= 0 && this.#merges.rank(slot) < bestRank) {
          best = i;
          bestRank = this.#merges.rank(slot);
        }
      }
      if (best < 0) return symbols.subarray(0, length);
      symbols[best] = this.#merges.result(slots[best]!);
      symbols.copyWithin(best + 1, best + 2, length);
      slots.copyWithin(best + 1, best + 2, length);
      length--;
      if (best > 0) slots[best - 1] = this.#merges.find(symbols[best - 1]!, symbols[best]!);
      if (best + 1 < length) slots[best] = this.#merges.find(symbols[best]!, symbols[best + 1]!);
    }
  }

  #mergeLong(symbols: Int32Array): Int32Array {
    const length = symbols.length;
    const next = Int32Array.from({ length }, (_, i) => i + 1);
    const before = Int32Array.from({ length }, (_, i) => i - 1);
    const queue = new MergeQueue();
    const offer = (left: number): void => {
      const right = left < 0 ? length : next[left]!;
      if (right >= length) return;
      const slot = this.#merges.find(symbols[left]!, symbols[right]!);
      if (slot >= 0) queue.push(this.#merges.rank(slot), left, slot);
    };
    for (let i = 0; i + 1 < length; i++) offer(i);
    while (queue.size > 0) {
      const { left, tag } = queue.pop();
      const right = symbols[left]! < 0 ? length : next[left]!;
      if (right >= length || this.#merges.find(symbols[left]!, symbols[right]!) !== tag) continue; // one of the two has been merged since
      symbols[left] = this.#merges.result(tag);
      symbols[right] = -1;
      next[left] = next[right]!;
      if (next[right]! < length) before[next[right]!] = left;
      offer(before[left]!);
      offer(left);
    }
    return symbols.filter((symbol) => symbol >= 0);
  }
}

const bytesOfPart = (written: string): string => unwriteBytes(written) ?? byteString(written);

/** Pair of symbols -> rank and result: open addressing over typed arrays, small and quick for 300,000 merges. */
class PairTable {
  readonly #mask: number;
  readonly #lefts: Int32Array;
  readonly #rights: Int32Array;
  readonly #ranks: Int32Array;
  readonly #results: Int32Array;

  constructor(count: number) {
    let size = 1024;
    while (size < count * 2) size *= 2;
    this.#mask = size - 1;
    this.#lefts = new Int32Array(size).fill(-1);
    this.#rights = new Int32Array(size);
    this.#ranks = new Int32Array(size);
    this.#results = new Int32Array(size);
  }

  #start(left: number, right: number): number {
    const mixed = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }

  /** The first rank of a pair counts. */
  add(left: number, right: number, rank: number, result: number): void {
    let slot = this.#start(left, right);
    while (this.#lefts[slot]! >= 0) {
      if (this.#lefts[slot] === left && this.#rights[slot] === right) return;
      slot = (slot + 1) & this.#mask;
    }
    this.#lefts[slot] = left;
    this.#rights[slot] = right;
    this.#ranks[slot] = rank;
    this.#results[slot] = result;
  }

  /** −1: not a pair that merges. */
  find(left: number, right: number): number {
    let slot = this.#start(left, right);
    while (this.#lefts[slot]! >= 0) {
      if (this.#lefts[slot] === left && this.#rights[slot] === right) return slot;
      slot = (slot + 1) & this.#mask;
    }
    return -1;
  }

  rank(slot: number): number {
    return this.#ranks[slot]!;
  }

  result(slot: number): number {
    return this.#results[slot]!;
  }
}
