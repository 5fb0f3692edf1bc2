/** @file PDFium (WebAssembly, no network, no files) as a source of characters with positions. Knows nothing about lines or reading order. */
import { PDFiumLibrary } from "@hyzyla/pdfium";
import { corruptError, documentError, passwordError } from "./limits.ts";

/** The part of PDFium's C interface used here; the package exposes the module but types only some of it. */
type Pdfium = {
  HEAPU8: Uint8Array;
  wasmExports: { malloc(size: number): number; free(pointer: number): void };
  _FPDF_LoadMemDocument(data: number, size: number, password: number): number;
  _FPDF_CloseDocument(document: number): void;
  _FPDF_GetLastError(): number;
  _FPDF_GetPageCount(document: number): number;
  _FPDF_GetMetaText(document: number, tag: number, buffer: number, size: number): number;
  _FPDF_LoadPage(document: number, index: number): number;
  _FPDF_ClosePage(page: number): void;
  _FPDF_GetPageWidth(page: number): number;
  _FPDF_GetPageHeight(page: number): number;
  _FPDFPage_GetRotation(page: number): number;
  _FPDFPage_CountObjects(page: number): number;
  _FPDFPage_GetObject(page: number, index: number): number;
  _FPDFPageObj_GetType(object: number): number;
  _FPDFPageObj_GetBounds(object: number, left: number, bottom: number, right: number, top: number): number;
  _FPDFFormObj_CountObjects(object: number): number;
  _FPDFFormObj_GetObject(object: number, index: number): number;
  _FPDFPage_GetMediaBox(page: number, left: number, bottom: number, right: number, top: number): number;
  _FPDFPage_GetCropBox(page: number, left: number, bottom: number, right: number, top: number): number;
  _FPDFText_LoadPage(page: number): number;
  _FPDFText_ClosePage(text: number): void;
  _FPDFText_CountChars(text: number): number;
  _FPDFText_GetUnicode(text: number, index: number): number;
  _FPDFText_IsGenerated(text: number, index: number): number;
  _FPDFText_GetFontSize(text: number, index: number): number;
  _FPDFText_GetCharAngle(text: number, index: number): number;
  _FPDFText_GetMatrix(text: number, index: number, matrix: number): number;
  _FPDFText_GetLooseCharBox(text: number, index: number, rect: number): number;
};

/** What stood before a character: nothing, a gap that PDFium took for a space, or a space of the document's own. */
export type SpaceBefore = "none" | "guessed" | "real";

/** One character; x to the right, y downwards from the page's top left, in points. */
export type PdfChar = {
  readonly code: number;
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
  readonly size: number;
  readonly space: SpaceBefore;
};

export type PdfPage = { readonly width: number; readonly height: number; readonly chars: readonly PdfChar[]; readonly picture: boolean };

let loading: Promise<Pdfium> | undefined;

async function loadPdfium(): Promise<Pdfium> {
  loading ??= PDFiumLibrary.init().then((library) => (library as unknown as { module: Pdfium }).module);
  return await loading;
}

type Frame = { readonly left: number; readonly top: number; readonly width: number; readonly height: number; readonly turns: number };

export class PdfSource {
  readonly pageCount: number;
  readonly #pdfium: Pdfium;
  readonly #document: number;
  readonly #data: number;
  /** Scratch for out parameters: four floats. */
  readonly #scratch: number;

  private constructor(pdfium: Pdfium, document: number, data: number) {
    this.#pdfium = pdfium;
    this.#document = document;
    this.#data = data;
    this.#scratch = pdfium.wasmExports.malloc(64);
    this.pageCount = pdfium._FPDF_GetPageCount(document);
  }

  static async open(bytes: Uint8Array): Promise<PdfSource> {
    const pdfium = await loadPdfium();
    const data = pdfium.wasmExports.malloc(bytes.byteLength);
    if (data === 0) {
      throw documentError(
        "document_too_heavy",
        { message: "There is not enough memory to open this PDF.", hint: "Split it into smaller files." },
        { message: "内存不足，无法打开该 PDF。", hint: "请拆分成较小的文件。" },
      );
    }
    pdfium.HEAPU8.set(bytes, data);
    const document = pdfium._FPDF_LoadMemDocument(data, bytes.byteLength, 0);
    if (document === 0) {
      const reason = pdfium._FPDF_GetLastError();
      pdfium.wasmExports.free(data);
      if (reason === 4 || reason === 5) throw passwordError("PDF");
      throw corruptError("not a readable PDF", "不是可读取的 PDF");
    }
    return new PdfSource(pdfium, document, data);
  }

  [Symbol.dispose](): void {
    this.#pdfium._FPDF_CloseDocument(this.#document);
    this.#pdfium.wasmExports.free(this.#scratch);
    this.#pdfium.wasmExports.free(this.#data);
  }

  metaText(tag: "Title" | "Author" | "CreationDate"): string {
    const { wasmExports, HEAPU8 } = this.#pdfium;
    const name = wasmExports.malloc(32);
    HEAPU8.set(new TextEncoder().encode(`${tag}\0`), name);
    const size = this.#pdfium._FPDF_GetMetaText(this.#document, name, 0, 0);
    let text = "";
    if (size > 2 && size < 4096) {
      const buffer = wasmExports.malloc(size);
      this.#pdfium._FPDF_GetMetaText(this.#document, name, buffer, size);
      text = new TextDecoder("utf-16le").decode(this.#pdfium.HEAPU8.slice(buffer, buffer + size - 2));
      wasmExports.free(buffer);
    }
    wasmExports.free(name);
    return text.trim();
  }

  /** Null when the page itself cannot be read. */
  readPage(index: number): PdfPage | null {
    const page = this.#pdfium._FPDF_LoadPage(this.#document, index);
    if (page === 0) return null;
    try {
      const frame = this.#frame(page);
      const chars = this.#chars(page, frame);
      const picture = chars.length < 16 && this.#hasPicture(page, frame);
      const turned = frame.turns % 2 === 1;
      return { width: turned ? frame.height : frame.width, height: turned ? frame.width : frame.height, chars, picture };
    } finally {
      this.#pdfium._FPDF_ClosePage(page);
    }
  }

  #floats(): Float32Array {
    return new Float32Array(this.#pdfium.HEAPU8.buffer, (this.#scratch + 7) & ~7, 4);
  }

  #frame(page: number): Frame {
    const at = (this.#scratch + 7) & ~7;
    const pdfium = this.#pdfium;
    const turns = pdfium._FPDFPage_GetRotation(page) & 3;
    const found =
      pdfium._FPDFPage_GetCropBox(page, at, at + 4, at + 8, at + 12) !== 0 || pdfium._FPDFPage_GetMediaBox(page, at, at + 4, at + 8, at + 12) !== 0;
    const [left = 0, bottom = 0, right = 0, top = 0] = found ? this.#floats() : [];
    if (right - left > 1 && top - bottom > 1) return { left, top, width: right - left, height: top - bottom, turns };
    const [width, height] = [pdfium._FPDF_GetPageWidth(page) || 595, pdfium._FPDF_GetPageHeight(page) || 842];
    return turns % 2 === 1 ? { left: 0, top: width, width: height, height: width, turns } : { left: 0, top: height, width, height, turns };
  }

  #chars(page: number, frame: Frame): PdfChar[] {
    const pdfium = this.#pdfium;
    const text = pdfium._FPDFText_LoadPage(page);
    if (text === 0) return [];
    const count = pdfium._FPDFText_CountChars(text);
    const at = (this.#scratch + 7) & ~7;
    const chars: PdfChar[] = [];
    let space: SpaceBefore = "none";
    let [size, fontSize, boxHeight] = [0, 0, 0];
    for (let i = 0; i < count; i++) {
      let code = pdfium._FPDFText_GetUnicode(text, i);
      if (code <= 0x20 || code === 0xfffe || code === 0xffff || code === 0xfffd) {
        if (code === 0x20 && space !== "real") space = pdfium._FPDFText_IsGenerated(text, i) === 1 ? "guessed" : "real";
        // A hyphen at a line's end comes as U+0002.
        if (code !== 2) continue;
        code = 0x2d;
      }
      if (pdfium._FPDFText_IsGenerated(text, i) === 1) continue;
      if (pdfium._FPDFText_GetLooseCharBox(text, i, at) === 0) continue;
      const [left, top, right, bottom] = this.#floats() as unknown as [number, number, number, number];
      const angle = ((pdfium._FPDFText_GetCharAngle(text, i) * 2) / Math.PI + frame.turns + 8) % 4;
      // Slanted text is a stamp or a watermark.
      if (Math.abs(angle - Math.round(angle)) > 0.06 || Math.round(angle) % 4 !== 0) continue;
      const [nowSize, nowHeight] = [pdfium._FPDFText_GetFontSize(text, i), top - bottom];
      if (nowSize !== fontSize || nowHeight !== boxHeight) {
        [fontSize, boxHeight] = [nowSize, nowHeight];
        size = this.#seenSize(text, i, fontSize);
      }
      chars.push(place(code, left, top, right, bottom, size, space, frame));
      space = "none";
    }
    pdfium._FPDFText_ClosePage(text);
    return chars;
  }

  /** The size a font is set in may be scaled by a matrix: what counts is what is seen. */
  #seenSize(text: number, index: number, fontSize: number): number {
    if (this.#pdfium._FPDFText_GetMatrix(text, index, (this.#scratch + 7) & ~7) === 0) return Math.max(1, fontSize);
    const [a = 1, b = 0, c = 0, d = 1] = this.#sixFloats();
    const seen = fontSize * Math.sqrt(Math.abs(a * d - b * c));
    return seen > 1 && seen < 1000 ? seen : Math.max(1, fontSize);
  }

  #sixFloats(): Float32Array {
    return new Float32Array(this.#pdfium.HEAPU8.buffer, (this.#scratch + 7) & ~7, 6);
  }

  #hasPicture(page: number, frame: Frame): boolean {
    const pdfium = this.#pdfium;
    let area = 0;
    let seen = 0;
    const look = (object: number, depth: number): void => {
      if (object === 0 || seen++ > 2000) return;
      const type = pdfium._FPDFPageObj_GetType(object);
      if (type === 3) {
        const at = (this.#scratch + 7) & ~7;
        if (pdfium._FPDFPageObj_GetBounds(object, at, at + 4, at + 8, at + 12) === 0) return;
        const [left, bottom, right, top] = this.#floats() as unknown as [number, number, number, number];
        area += depth > 0 ? frame.width * frame.height * 0.5 : Math.abs((right - left) * (top - bottom));
      } else if (type === 5 && depth < 4) {
        const inner = pdfium._FPDFFormObj_CountObjects(object);
        for (let i = 0; i < inner; i++) look(pdfium._FPDFFormObj_GetObject(object, i), depth + 1);
      }
    };
    const count = pdfium._FPDFPage_CountObjects(page);
    for (let i = 0; i < count; i++) look(pdfium._FPDFPage_GetObject(page, i), 0);
    return area > frame.width * frame.height * 0.25;
  }
}

/** From PDF space (y upwards, page unturned) to what a reader sees. */
function place(code: number, left: number, top: number, right: number, bottom: number, size: number, space: SpaceBefore, frame: Frame): PdfChar {
  const x0 = Math.min(left, right) - frame.left;
  const x1 = Math.max(left, right) - frame.left;
  const y0 = frame.top - Math.max(top, bottom);
  const y1 = frame.top - Math.min(top, bottom);
  if (frame.turns === 1) return { code, x0: frame.height - y1, x1: frame.height - y0, y0: x0, y1: x1, size, space };
  if (frame.turns === 2) return { code, x0: frame.width - x1, x1: frame.width - x0, y0: frame.height - y1, y1: frame.height - y0, size, space };
  if (frame.turns === 3) return { code, x0: y0, x1: y1, y0: frame.width - x1, y1: frame.width - x0, size, space };
  return { code, x0, x1, y0, y1, size, space };
}
