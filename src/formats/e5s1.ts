/** @file Reads the packed embedder format `E5S1` and turns it into GGUF (architecture `bert`, unigram tokenizer). Runs no model. */
import { readFile } from "node:fs/promises";
import { StarboxError } from "#base";
import { type GgmlTypeName, type GgufTensor, type GgufValue, writeGguf } from "./gguf-writer.ts";

type Shape = {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly feedForward: number;
  readonly words: number;
  readonly positions: number;
  readonly tokenTypes: number;
  readonly eps: number;
};
type Tokenizer = {
  readonly pieces: readonly string[];
  readonly scores: Float32Array;
  readonly bos: number;
  readonly eos: number;
  readonly pad: number;
  readonly unk: number;
};
type PackedTensor = { readonly type: "f32" | "q4_0"; readonly data: Buffer };
export type E5s1 = { readonly shape: Shape; readonly tokenizer: Tokenizer; readonly tensors: ReadonlyMap<string, PackedTensor> };

const tokenTypes = { normal: 1, unknown: 2, control: 3, unused: 5 } as const;

/** Every read checks the end of the file: the bytes came from outside. */
class Cursor {
  #at = 0;
  readonly #bytes: Buffer;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  take(size: number): Buffer {
    if (!Number.isSafeInteger(size) || size < 0 || this.#at + size > this.#bytes.length)
      throw invalid(`the file ends at byte ${this.#bytes.length}, but ${size} more were expected at ${this.#at}`);
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }
  slice(start: number, size: number): Buffer {
    if (start < 0 || size < 0 || start + size > this.#bytes.length)
      throw invalid(`a tensor reaches from ${start} to ${start + size}, beyond the end at ${this.#bytes.length}`);
    return this.#bytes.subarray(start, start + size);
  }
  i32 = (): number => this.take(4).readInt32LE();
  u32 = (): number => this.take(4).readUInt32LE();
  u16 = (): number => this.take(2).readUInt16LE();
  u8 = (): number => this.take(1).readUInt8();
  f32 = (): number => this.take(4).readFloatLE();
  u64 = (): number => Number(this.take(8).readBigUInt64LE());
}

function invalid(what: string): StarboxError {
  return new StarboxError("model_invalid", `Not a usable E5S1 file: ${what}.`, {
    hint: "Pull the embedder again.",
    zh: { message: `E5S1 文件不可用：${what}。`, hint: "请重新下载嵌入模型。" },
  });
}

function readTokenizer(cursor: Cursor): Tokenizer {
  const [count, bos, eos, pad, unk] = [cursor.i32(), cursor.i32(), cursor.i32(), cursor.i32(), cursor.i32()];
  if (count < 1 || count > 4_000_000) throw invalid(`${count} pieces`);
  const blobSize = cursor.u64();
  const offsets = cursor.take(4 * (count + 1));
  const scores = Float32Array.from({ length: count }, () => 0);
  const scoreBytes = cursor.take(4 * count);
  for (let i = 0; i < count; i++) scores[i] = scoreBytes.readFloatLE(4 * i);
  const blob = cursor.take(blobSize);
  const pieces = Array.from({ length: count }, (_, i) => blob.toString("utf8", offsets.readUInt32LE(4 * i), offsets.readUInt32LE(4 * i + 4)));
  return { pieces, scores, bos, eos, pad, unk };
}

export function parseE5s1(bytes: Buffer): E5s1 {
  const cursor = new Cursor(bytes);
  if (cursor.take(4).toString("latin1") !== "E5S1") throw invalid("it does not begin with E5S1");
  cursor.u32(); // version
  const shape: Shape = {
    width: cursor.i32(),
    layers: cursor.i32(),
    heads: cursor.i32(),
    feedForward: cursor.i32(),
    words: cursor.i32(),
    positions: cursor.i32(),
    tokenTypes: cursor.i32(),
    eps: cursor.f32(),
  };
  const block = cursor.i32();
  if (block !== 32) throw invalid(`blocks of ${block} values, expected 32`);
  const tokenizer = readTokenizer(cursor);
  const mapEntries = cursor.i32();
  cursor.u32();
  for (let i = 0; i < mapEntries; i++) {
    cursor.u32();
    cursor.take(4 * cursor.u8()); // the normalisation map: text is NFKC-normalised before it is tokenised, so it is not carried over
  }
  const tensors = new Map<string, PackedTensor>();
  for (let i = cursor.i32(); i > 0; i--) {
    const name = cursor.take(cursor.u16()).toString("utf8");
    const type = cursor.u8() === 0 ? "f32" : "q4_0";
    cursor.u32(); // count, implied by the bytes
    const offset = cursor.u64();
    tensors.set(name, { type, data: cursor.slice(offset, cursor.u64()) });
  }
  return { shape, tokenizer, tensors };
}

const globalNames: Readonly<Record<string, string>> = {
  "emb.word": "token_embd.weight",
  "emb.pos": "position_embd.weight",
  "emb.type": "token_types.weight",
  "emb.ln.w": "token_embd_norm.weight",
  "emb.ln.b": "token_embd_norm.bias",
};
const layerNames: Readonly<Record<string, string>> = {
  q: "attn_q",
  k: "attn_k",
  v: "attn_v",
  ao: "attn_output",
  fi: "ffn_up",
  fo: "ffn_down",
  aln: "attn_output_norm",
  oln: "layer_output_norm",
};

function ggufName(packed: string): string {
  const fixed = globalNames[packed];
  if (fixed !== undefined) return fixed;
  const match = /^l(\d+)\.(\w+)\.([wb])$/.exec(packed);
  const layer = match === null ? undefined : layerNames[match[2] ?? ""];
  if (match === null || layer === undefined) throw invalid(`unknown tensor "${packed}"`);
  return `blk.${match[1]}.${layer}.${match[3] === "w" ? "weight" : "bias"}`;
}

function ggufShape(packed: string, shape: Shape): readonly number[] {
  const { width, feedForward } = shape;
  if (packed === "emb.word") return [width, shape.words];
  if (packed === "emb.pos") return [width, shape.positions];
  if (packed === "emb.type") return [width, shape.tokenTypes];
  if (packed.endsWith(".fi.w")) return [width, feedForward];
  if (packed.endsWith(".fo.w")) return [feedForward, width];
  if (packed.endsWith(".fi.b")) return [feedForward];
  if (/ln\.[wb]$/.test(packed) || packed.endsWith(".b")) return [width];
  return [width, width];
}

export type Requantise = (data: Buffer, from: "f32" | "q4_0", name: string) => { readonly type: GgmlTypeName; readonly data: Uint8Array };

function metadataOf({ shape, tokenizer }: E5s1, name: string): Record<string, GgufValue> {
  const missing = shape.words - tokenizer.pieces.length; // rows of padding at the end of the table
  const pieces = [...tokenizer.pieces, ...Array.from({ length: missing }, (_, i) => `[PAD${i}]`)];
  const scores = new Float32Array(shape.words);
  scores.set(tokenizer.scores);
  const types = new Int32Array(shape.words).fill(tokenTypes.normal);
  types.fill(tokenTypes.unused, tokenizer.pieces.length);
  for (const id of [tokenizer.bos, tokenizer.eos, tokenizer.pad]) types[id] = tokenTypes.control;
  types[tokenizer.unk] = tokenTypes.unknown;
  const u32 = (value: number): GgufValue => ({ type: "u32", value });
  const bool = (value: boolean): GgufValue => ({ type: "bool", value });
  return {
    "general.architecture": { type: "string", value: "bert" },
    "general.name": { type: "string", value: name },
    "bert.block_count": u32(shape.layers),
    "bert.context_length": u32(shape.positions),
    "bert.embedding_length": u32(shape.width),
    "bert.feed_forward_length": u32(shape.feedForward),
    "bert.attention.head_count": u32(shape.heads),
    "bert.attention.layer_norm_epsilon": { type: "f32", value: shape.eps },
    "bert.attention.causal": bool(false),
    "bert.pooling_type": u32(1),
    "tokenizer.ggml.model": { type: "string", value: "t5" },
    "tokenizer.ggml.pre": { type: "string", value: "default" },
    "tokenizer.ggml.tokens": { type: "strings", value: pieces },
    "tokenizer.ggml.scores": { type: "f32s", value: scores },
    "tokenizer.ggml.token_type": { type: "i32s", value: types },
    "tokenizer.ggml.token_type_count": u32(shape.tokenTypes),
    "tokenizer.ggml.add_space_prefix": bool(true),
    "tokenizer.ggml.remove_extra_whitespaces": bool(true),
    "tokenizer.ggml.bos_token_id": u32(tokenizer.bos),
    "tokenizer.ggml.eos_token_id": u32(tokenizer.eos),
    "tokenizer.ggml.unknown_token_id": u32(tokenizer.unk),
    "tokenizer.ggml.seperator_token_id": u32(tokenizer.eos), // llama.cpp's own spelling
    "tokenizer.ggml.padding_token_id": u32(tokenizer.pad),
    "tokenizer.ggml.add_bos_token": bool(true),
    "tokenizer.ggml.add_eos_token": bool(true),
  };
}

/** Writes the embedder as GGUF. `requantise` may turn weights into another type; by default the packed bytes are kept. */
export async function convertE5s1ToGguf(
  sourcePath: string,
  targetPath: string,
  options: { readonly name: string; readonly requantise?: Requantise },
): Promise<void> {
  const model = parseE5s1(await readFile(sourcePath));
  const tensors: GgufTensor[] = [];
  for (const [name, tensor] of model.tensors) {
    const shape = ggufShape(name, model.shape);
    const values = shape.reduce((product, size) => product * size, 1);
    const expected = tensor.type === "f32" ? values * 4 : (values / 32) * 18;
    if (tensor.data.length !== expected) throw invalid(`tensor "${name}" has ${tensor.data.length} bytes, expected ${expected}`);
    const made = options.requantise?.(tensor.data, tensor.type, name) ?? { type: tensor.type, data: tensor.data };
    tensors.push({ name: ggufName(name), shape, type: made.type, data: made.data });
  }
  await writeGguf(targetPath, metadataOf(model, options.name), tensors);
}
