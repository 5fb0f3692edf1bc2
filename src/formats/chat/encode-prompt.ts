/** @file A rendered prompt as token ids, the same for training and serving: control tokens only where the template put them, BOS once. */
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { PromptPiece } from "./render-prompt.ts";

export type EncodedPrompt = {
  readonly ids: number[];
  /** The piece each token came from (a token over a border belongs to the piece it begins in); −1: BOS. */
  readonly pieces: Int32Array;
};

/**
 * Byte-level vocabularies are cut at piece borders, so content cannot name a control token. Others put a space before each piece when cut, so there the whole
 * is tokenised at once and control tokens in content are broken up instead.
 */
export function encodePrompt(tokenizer: Tokenizer, pieces: readonly PromptPiece[]): EncodedPrompt {
  const ids: number[] = [];
  const owners: number[] = [];
  if (tokenizer.source.model === "bytePairs") {
    pieces.forEach(({ text, control }, piece) => {
      for (const id of tokenizer.encode(text, { special: control })) {
        ids.push(id);
        owners.push(piece);
      }
    });
  } else {
    const texts = pieces.map(({ text, control }) => (control ? text : text.replace(/<(?=[|/\w])/g, "< ")));
    ids.push(...tokenizer.encode(texts.join(""), { special: true }));
    const ends: number[] = [];
    for (const text of texts) ends.push((ends.at(-1) ?? 0) + Buffer.byteLength(text));
    let [at, piece] = [tokenizer.source.addSpacePrefix ? -1 : 0, 0];
    for (const id of ids) {
      while (piece + 1 < pieces.length && at >= ends[piece]!) piece++;
      owners.push(piece);
      at += tokenizer.piece(id, true).length;
    }
  }
  const bos = tokenizer.source.addBos ? tokenizer.bos : null;
  if (bos !== null && ids[0] !== bos) {
    ids.unshift(bos);
    owners.unshift(-1);
  }
  return { ids, pieces: Int32Array.from(owners) };
}
