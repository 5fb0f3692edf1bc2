/** @file Collects blocks into one text with exact offsets. Knows no format. */
import type { Block, BlockKind, Box, DocumentMeta, ParsedDocument } from "#contracts";
import { type ParseLimits, tooLargeError } from "./limits.ts";

export type BlockOptions = {
  readonly page?: number | null;
  readonly level?: number;
  readonly box?: Box;
  readonly label?: string;
  /** The same paragraph goes on (over a page break): no line break before it. */
  readonly continues?: "" | " ";
};

// Control characters, zero-width marks, byte order marks and bidirectional overrides: invisible, and used to hide text.
const invisible = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff]/g;
const suspect = /[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]/;

export function cleanText(text: string): string {
  if (!suspect.test(text)) return text;
  const clean = text
    .replace(/\r\n?|[\u2028\u2029\u0085]/g, "\n")
    .replace(/\u00a0/g, " ")
    .replace(invisible, "");
  return clean.isWellFormed() ? clean : clean.toWellFormed();
}

export class DocumentBuilder {
  readonly warnings: { code: string; message: string }[] = [];
  readonly children: { path: string; bytes: Uint8Array }[] = [];
  readonly #parts: string[] = [];
  readonly #blocks: Block[] = [];
  readonly #limits: ParseLimits;
  #length = 0;

  constructor(limits: ParseLimits) {
    this.#limits = limits;
  }

  get blockCount(): number {
    return this.#blocks.length;
  }

  add(kind: BlockKind, raw: string, options: BlockOptions = {}): void {
    const text = cleanText(raw).trim();
    if (text.length === 0) return;
    const heading = kind === "heading" || kind === "title";
    const separator = this.#length === 0 ? "" : (options.continues ?? (heading ? "\n\n" : "\n"));
    const start = this.#length + separator.length;
    const end = start + text.length;
    if (end > this.#limits.maxTextChars)
      throw tooLargeError(`more than ${this.#limits.maxTextChars} characters of text`, `文本超过 ${this.#limits.maxTextChars} 字`);
    if (separator.length > 0) this.#parts.push(separator);
    this.#parts.push(text);
    this.#length = end;
    const { page = null, level, box, label } = options;
    this.#blocks.push({
      kind,
      start,
      end,
      page,
      ...(level === undefined ? (heading ? { level: 1 } : {}) : { level: Math.min(6, Math.max(1, level)) }),
      ...(box === undefined ? {} : { box }),
      ...(label === undefined ? {} : { label }),
    });
  }

  warn(code: string, message: string): void {
    if (this.warnings.length < 50 && !this.warnings.some((w) => w.code === code && w.message === message)) this.warnings.push({ code, message });
  }

  finish(meta: DocumentMeta = {}, pages: number | null = null, scannedPages: readonly number[] = []): ParsedDocument {
    return { text: this.#parts.join(""), blocks: this.#blocks, pages, scannedPages, meta, warnings: this.warnings, children: this.children };
  }
}
