/** @file A row as token ids and loss weights, through the model's own chat template: the ids that serving renders. Learned: what the assistant says, and the token that ends it. */
import { createHash } from "node:crypto";
import { encodePrompt, fallbackTemplate, renderPrompt, Tokenizer, type TokenizerMetadata } from "#formats";
import type { TrainingRow } from "./dataset.ts";
import type { Example } from "./pack.ts";

export type EncodeOptions = { readonly trainOnPrompt: boolean; readonly maskHistory: boolean; readonly cutoff: number };
export type EncodedRow = Example & { readonly cut: boolean };

export class RowEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #template: string;

  constructor(file: TokenizerMetadata) {
    this.#tokenizer = Tokenizer.fromGguf(file);
    this.#template = this.#tokenizer.source.chatTemplate ?? fallbackTemplate;
  }

  /** Kept in the adapter: whoever serves it with another template serves another model. */
  get templateHash(): string {
    return createHash("sha256").update(this.#template).digest("hex");
  }

  encode(row: TrainingRow, options: EncodeOptions): EncodedRow {
    const { ids, weights } = row.kind === "messages" ? this.#conversation(row, options) : row.kind === "text" ? this.#text(row.text) : row;
    const cut = ids.length > options.cutoff;
    const kept = { ids: Int32Array.from(ids.slice(0, options.cutoff)), weights: Float32Array.from(weights.slice(0, options.cutoff)), cut };
    kept.weights[0] = 0; // nothing stands before it
    return kept;
  }

  /** A prompt as serving renders it, ready for an answer. */
  prompt(messages: Extract<TrainingRow, { kind: "messages" }>["messages"]): readonly number[] {
    return encodePrompt(this.#tokenizer, this.#render(messages, true)).ids;
  }

  decode(ids: Iterable<number>): string {
    return this.#tokenizer.decode(ids);
  }

  get endings(): ReadonlySet<number> {
    return this.#tokenizer.endings;
  }

  #render(messages: Extract<TrainingRow, { kind: "messages" }>["messages"], addGenerationPrompt: boolean) {
    const name = (id: number | null): string => (id === null ? "" : Buffer.from(this.#tokenizer.piece(id, true)).toString("utf8"));
    const { bos, eos } = this.#tokenizer;
    return renderPrompt({ template: this.#template, messages, tools: [], bosToken: name(bos), eosToken: name(eos), addGenerationPrompt });
  }

  #text(text: string): { ids: readonly number[]; weights: readonly number[] } {
    const { eos } = this.#tokenizer;
    const framed = this.#tokenizer.encode(text, { frame: true });
    const ids = eos === null || framed.at(-1) === eos ? framed : [...framed, eos];
    return { ids, weights: ids.map(() => 1) };
  }

  #conversation({ messages, learn }: Extract<TrainingRow, { kind: "messages" }>, { trainOnPrompt, maskHistory }: EncodeOptions) {
    const pieces = this.#render(messages, false);
    const { ids, pieces: owners } = encodePrompt(this.#tokenizer, pieces);
    if (trainOnPrompt) return { ids, weights: ids.map(() => 1) };
    const answers = messages.flatMap(({ role }, i) => (role === "assistant" && learn[i] ? [i] : []));
    const learned = new Set(maskHistory ? answers.slice(-1) : answers);
    const weights = ids.map(() => 0);
    ids.forEach((id, at) => {
      const message = pieces[owners[at]!]?.message ?? null;
      if (message !== null && learned.has(message)) weights[at] = 1;
      else if (message === null && this.endings.has(id) && this.#ends(at, owners, pieces, learned)) weights[at] = 1;
    });
    return { ids, weights };
  }

  /** Is this the token that ends a learned answer? The one right behind its content. */
  #ends(at: number, owners: Int32Array, pieces: readonly { readonly message: number | null }[], learned: ReadonlySet<number>): boolean {
    const message = pieces[owners[at - 1] ?? -1]?.message ?? null;
    return message !== null && learned.has(message);
  }
}
