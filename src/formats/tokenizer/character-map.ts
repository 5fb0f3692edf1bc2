/**
 * @file SentencePiece's compiled normalisation map: byte prefixes -> replacement text. An XOR-compressed double array (Kanda, 2018): a node's children
 * lie at base XOR byte; bits 0–7 check the byte, bit 8 marks an end, bits 10–30 are the base (times 256 where bit 9 is set). The file is hostile until proven sound.
 */
import { StarboxError } from "#base";

const invalid = (what: string): StarboxError =>
  new StarboxError("model_invalid", `The tokenizer's normalisation map cannot be used: ${what}.`, {
    hint: "Pull or convert the model again.",
    zh: { message: `分词器的规范化表不可用：${what}。`, hint: "请重新下载或转换该模型。" },
  });

export class CharacterMap {
  readonly #units: Uint32Array;
  readonly #replacements: string;

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.byteLength < 4 ? 0 : view.getUint32(0, true);
    if (size === 0 || size % 4 !== 0 || size + 4 >= bytes.byteLength) throw invalid(`its array claims ${size} of ${bytes.byteLength} bytes`);
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#replacements = Buffer.from(bytes.subarray(4 + size)).toString("latin1");
  }

  /** The replacement of the longest known prefix of the text at `at`, or null. */
  replace(text: string, at: number): { readonly text: string; readonly used: number } | null {
    let node = this.#base(this.#unit(0));
    let used = 0;
    let replacement = 0;
    for (let i = at; i < text.length; i++) {
      const byte = text.charCodeAt(i);
      if (byte === 0) break;
      node ^= byte;
      const unit = this.#unit(node);
      if ((unit & 0x800000ff) !== byte) break; // not a child of the node before
      node ^= this.#base(unit);
      if ((unit >>> 8) & 1) {
        used = i - at + 1;
        replacement = this.#unit(node) & 0x7fffffff;
      }
    }
    if (used === 0) return null;
    const end = this.#replacements.indexOf("\0", replacement);
    if (replacement >= this.#replacements.length || end < 0) throw invalid(`a replacement at ${replacement} has no end`);
    return { text: this.#replacements.slice(replacement, end), used };
  }

  #unit(index: number): number {
    const unit = this.#units[index];
    if (unit === undefined) throw invalid(`a node points to ${index} of ${this.#units.length}`);
    return unit;
  }

  #base(unit: number): number {
    return (unit >>> 10) << ((unit & 0x200) >>> 6);
  }
}
