/** @file What a parser returns and what a chunker returns. Positions only; no database, no files. */

/** Where a block sits on a PDF page, in PDF points from the page's top left. */
export type Box = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

/** `record` is a row that stands alone (a question with its answer, a JSON object). */
export type BlockKind = "title" | "heading" | "paragraph" | "list" | "table-row" | "record" | "code";

/**
 * One block of a parsed document. `start`/`end` are half-open UTF-16 offsets into `ParsedDocument.text`,
 * and blocks are in reading order without overlap. A block with no line break before it continues the paragraph
 * of the block before, on the next page.
 */
export type Block = {
  readonly kind: BlockKind;
  readonly start: number;
  readonly end: number;
  /** 1-based page (PDF), slide (PPTX) or sheet (XLSX); null where the format has none. */
  readonly page: number | null;
  /** Heading depth 1..6 for `title` and `heading`. */
  readonly level?: number;
  readonly box?: Box;
  /** How a person would name it, where the format says so: a sheet's row, a record's number. */
  readonly label?: string;
};

/** Mail headers, PDF info and so on that were found; all optional, all untrusted. */
export type DocumentMeta = {
  readonly title?: string;
  readonly author?: string;
  /** ISO date (YYYY-MM-DD) on which this edition was adopted or published, if the text says so. */
  readonly date?: string;
  readonly language?: string;
};

export type ParsedDocument = {
  /** The whole extracted text; every offset in the product points into it. */
  readonly text: string;
  readonly blocks: readonly Block[];
  readonly pages: number | null;
  /** 1-based pages that hold pictures but no text ("needs OCR"). */
  readonly scannedPages: readonly number[];
  readonly meta: DocumentMeta;
  /** What was skipped or repaired, in words, for the file's page. */
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** Files found inside (EML attachments, ZIP members): ingested as documents of their own. */
  readonly children: readonly { readonly path: string; readonly bytes: Uint8Array }[];
};

/** A piece of a document that is indexed, retrieved and shown. `text.slice(start, end)` is its text, verbatim. */
export type Chunk = {
  readonly ordinal: number;
  readonly start: number;
  readonly end: number;
  readonly page: number | null;
  /** Titles above it, outermost first: ["中华人民共和国民法典", "第三编 合同", "第一章 一般规定"]. */
  readonly context: readonly string[];
  /** "第五百七十七条", a sheet's row number, …: how a person would name the place. */
  readonly label: string | null;
};
