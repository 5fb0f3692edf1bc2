/** @file SentencePiece BPE (llama 2, gemma): neighbours whose join is a piece are merged, the best score first; what is no piece becomes byte tokens. */
import { MergeQueue } from "./merge-queue.ts";
import { spaceMark, type Vocabulary } from "./vocabulary.ts";

/** Bytes of a character by the upper half of its first byte; broken text is cut the same way. */
const lengths = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4];
export const characterLength = (byte: number): number => lengths[byte >> 4]!;

export class ScorePairs {
  readonly #vocabulary: Vocabulary;
  readonly #byteTokens: readonly number[];

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#byteTokens = Array.from(
      { length: 256 },
      (_, byte) => vocabulary.findByte(byte) ?? vocabulary.find(String.fromCharCode(byte)) ?? vocabulary.source.special.unknown ?? 0,
    );
  }

  /** `first`: the text begins, or follows a special token. */
  encodeBytes(bytes: string, first: boolean, into: number[]): void {
    const text = (this.#vocabulary.source.addSpacePrefix && first ? ` ${bytes}` : bytes).replaceAll(" ", spaceMark);
    const starts: number[] = [];
    for (let at = 0; at < text.length; at += characterLength(text.charCodeAt(at))) starts.push(at);
    const count = starts.length;
    const ends = Int32Array.from({ length: count }, (_, i) => starts[i + 1] ?? text.length);
    const next = Int32Array.from({ length: count }, (_, i) => i + 1);
    const before = Int32Array.from({ length: count }, (_, i) => i - 1);
    const queue = new MergeQueue();
    const offer = (left: number): void => {
      const right = left < 0 ? count : next[left]!;
      if (right >= count) return;
      const id = this.#vocabulary.find(text.slice(starts[left], ends[right]));
      if (id !== undefined) queue.push(-this.#vocabulary.score(id), left, ends[right]!);
    };
    for (let i = 0; i + 1 < count; i++) offer(i);
    while (queue.size > 0) {
      const { left, tag } = queue.pop();
      const right = ends[left]! < 0 ? count : next[left]!;
      if (right >= count || ends[right] !== tag) continue; // one of the two has been merged since
      ends[left] = tag;
      ends[right] = -1;
      next[left] = next[right]!;
      if (next[right]! < count) before[next[right]!] = left;
      offer(before[left]!);
      offer(left);
    }
    for (let i = 0; i < count; i = next[i]!) {
      const piece = text.slice(starts[i], ends[i]);
      const id = this.#vocabulary.find(piece);
      if (id !== undefined) into.push(id);
      else for (let at = 0; at < piece.length; at++) into.push(this.#byteTokens[piece.charCodeAt(at)]!);
    }
  }
}
