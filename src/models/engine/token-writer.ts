/** @file llama.cpp's tokens as text while they come: whole characters only. */
import type { LlamaModel, Token } from "node-llama-cpp";

export class TokenWriter {
  #pending: Token[] = [];
  #before: Token[];
  readonly #model: LlamaModel;
  constructor(model: LlamaModel, prompt: readonly Token[]) {
    this.#model = model;
    this.#before = prompt.slice(-4);
  }
  push(token: Token): string {
    this.#pending.push(token);
    const text = this.#text();
    // An unfinished character ends in the replacement mark; no character needs more than four tokens, so a longer one is truly broken.
    return text.endsWith("\ufffd") && this.#pending.length < 5 ? "" : this.#take(text);
  }
  finish(): string {
    return this.#pending.length === 0 ? "" : this.#take(this.#text().replace(/\ufffd+$/, ""));
  }
  #text(): string {
    return this.#model.detokenize(this.#pending, false, this.#before);
  }
  #take(text: string): string {
    this.#before = [...this.#before, ...this.#pending].slice(-4);
    this.#pending = [];
    return text;
  }
}
