/** @file Small questions about lines of Chinese and English text that several parsers and the chunker ask. No state. */

/** Chinese and Arabic numerals, as statutes write them. */
export const numerals = "一二三四五六七八九十百千零〇○两0-9０-９";

const cjk = /[\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef“”‘’…—]/;
const structureStart = new RegExp(
  `^\\s*(?:第[${numerals}]{1,9}(?:条|編|编|分编|章|节|節|款|项|部分|篇|讲|课)|[一二三四五六七八九十]{1,3}[、．.]|[（(][${numerals}]{1,4}[）)]|[0-9]{1,3}[.、．)）]\\s*(?![0-9])|[0-9]{1,2}(?:\\.[0-9]{1,2}){1,3}\\s|[•●○■□◆▪·\\-–—*]\\s|[①-⑳]|附件|附录|附表|目\\s*录|(?:问|答|Q|A)[:：])`,
);

export function isCjk(char: string): boolean {
  return cjk.test(char);
}

/** Starts like a numbered article, heading, list item or question: never the continuation of the line above. */
export function startsStructure(line: string): boolean {
  return structureStart.test(line);
}

export function endsSentence(line: string): boolean {
  return /[。！？!?；;：:.…][”’"'）)】」』\]]*\s*$/.test(line.slice(-24)); // the end only: paragraphs grow long
}

/** What belongs between two lines of one paragraph: nothing in Chinese, a space in English; a hyphen at the break goes. */
export function joinLines(above: string, below: string): string {
  const last = above.at(-1) ?? "";
  const first = below[0] ?? "";
  if (last === "" || first === "") return above + below;
  if (last === "-" && /[a-z]-$/.test(above.slice(-2)) && /[a-z]/.test(first)) return above.slice(0, -1) + below;
  return isCjk(last) || isCjk(first) || last === " " || last === "_" ? above + below : `${above} ${below}`;
}

/** A paragraph put together line by line; growing one string would be quadratic, because looking at its end flattens it. */
export class Paragraph {
  readonly #parts: string[] = [];
  /** The line that was added last. */
  last = "";

  get empty(): boolean {
    return this.#parts.length === 0;
  }

  /** On a line of its own. */
  add(line: string): void {
    if (!this.empty) this.#parts.push("\n");
    this.#parts.push(line);
    this.last = line;
  }

  /** As the continuation of the line above. */
  join(line: string): void {
    const tail = this.#parts.pop() ?? "";
    const from = Math.max(0, tail.length - 2);
    this.#parts.push(tail.slice(0, from), joinLines(tail.slice(from), line));
    this.last = line;
  }

  take(): string {
    this.last = "";
    return this.#parts.splice(0).join("");
  }
}

/** Columns a terminal would need: Chinese characters count two. */
export function displayWidth(line: string): number {
  let width = 0;
  for (let i = 0; i < line.length; i++) width += line.charCodeAt(i) > 0x2e7f ? 2 : 1;
  return width;
}

const digits: Record<string, number> = { 零: 0, 〇: 0, "○": 0, 一: 1, 二: 2, 两: 2, 三: 3, 四: 4, 五: 5, 六: 6, 七: 7, 八: 8, 九: 9 };

/** "一百二十三" -> 123, "２０" -> 20; NaN when it is no number. */
export function parseNumeral(text: string): number {
  const ascii = text.replace(/[０-９]/g, (d) => String.fromCharCode(d.charCodeAt(0) - 0xfee0));
  if (/^[0-9]+$/.test(ascii)) return Number(ascii);
  if (/^[零〇○一二三四五六七八九]{2,}$/.test(text)) return Number([...text].map((c) => digits[c]).join(""));
  let total = 0;
  let digit = 0;
  for (const char of text) {
    const unit = char === "十" ? 10 : char === "百" ? 100 : char === "千" ? 1000 : 0;
    if (unit > 0) {
      total += (digit === 0 ? 1 : digit) * unit;
      digit = 0;
    } else if (char in digits) digit = digits[char] ?? 0;
    else return Number.NaN;
  }
  return total + digit;
}
