/** @file Automatic numbers of Word paragraphs ("第三条", "（二）", "1.1"): they are words readers see but not in the text. */
import { readXml } from "./xml.ts";

type Level = { format: string; text: string; start: number };
type Numbering = { readonly levels: Map<number, Level>; readonly counters: number[] };

const units = ["", "十", "百", "千"];
const chineseDigits = "零一二三四五六七八九";

export function chineseNumber(value: number): string {
  if (value <= 0 || value >= 10_000) return String(value);
  let out = "";
  let zero = false;
  const digits = String(value);
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[i]);
    if (digit === 0) {
      zero = out !== "";
      continue;
    }
    if (zero) out += "零";
    zero = false;
    out += (chineseDigits[digit] ?? "") + (units[digits.length - 1 - i] ?? "");
  }
  return out.replace(/^一十/, "十");
}

function roman(value: number): string {
  const table: readonly (readonly [number, string])[] = [
    [1000, "M"],
    [900, "CM"],
    [500, "D"],
    [400, "CD"],
    [100, "C"],
    [90, "XC"],
    [50, "L"],
    [40, "XL"],
    [10, "X"],
    [9, "IX"],
    [5, "V"],
    [4, "IV"],
    [1, "I"],
  ];
  let rest = value;
  let out = "";
  for (const [size, sign] of table) for (; rest >= size && out.length < 20; rest -= size) out += sign;
  return out;
}

function presentNumber(value: number, format: string): string {
  switch (format) {
    case "chineseCounting":
    case "chineseCountingThousand":
    case "chineseLegalSimplified":
    case "taiwaneseCounting":
    case "taiwaneseCountingThousand":
    case "japaneseCounting":
    case "ideographTraditional":
      return chineseNumber(value);
    case "ideographDigital":
    case "taiwaneseDigital":
      return [...String(value)].map((d) => "〇一二三四五六七八九"[Number(d)] ?? d).join("");
    case "upperLetter":
      return String.fromCharCode(65 + ((value - 1) % 26));
    case "lowerLetter":
      return String.fromCharCode(97 + ((value - 1) % 26));
    case "upperRoman":
      return roman(value);
    case "lowerRoman":
      return roman(value).toLowerCase();
    case "decimalEnclosedCircle":
    case "decimalEnclosedCircleChinese":
      return value >= 1 && value <= 20 ? String.fromCharCode(0x245f + value) : String(value);
    case "decimalFullWidth":
      return String(value).replace(/\d/g, (d) => String.fromCharCode(d.charCodeAt(0) + 0xfee0));
    case "decimalZero":
      return String(value).padStart(2, "0");
    default:
      return String(value);
  }
}

export class DocxNumbering {
  readonly #abstract = new Map<string, Map<number, Level>>();
  readonly #numberings = new Map<string, Numbering>();

  constructor(xml: string | null) {
    if (xml !== null) this.#read(xml);
  }

  #read(xml: string): void {
    const counters = new Map<string, number[]>();
    let levels: Map<number, Level> | null = null;
    let level: Level | null = null;
    let num = "";
    let override = -1;
    const numLevels = new Map<string, Map<number, Level>>();
    readXml(xml, {
      open: (name, a) => {
        const value = a["w:val"] ?? "";
        if (name === "w:abstractNum") this.#abstract.set(a["w:abstractNumId"] ?? "", (levels = new Map()));
        else if (name === "w:lvl") {
          level = { format: "decimal", text: "", start: 1 };
          (num === "" ? levels : numLevels.get(num))?.set(Number(a["w:ilvl"] ?? 0), level);
        } else if (name === "w:numFmt" && level !== null) level.format = value;
        else if (name === "w:lvlText" && level !== null) level.text = value;
        else if (name === "w:start" && level !== null) level.start = Number(value) || 0;
        else if (name === "w:num") num = a["w:numId"] ?? "";
        else if (name === "w:abstractNumId" && num !== "") {
          const base = this.#abstract.get(value) ?? new Map<number, Level>();
          const own = new Map(base);
          numLevels.set(num, own);
          if (!counters.has(value)) counters.set(value, []);
          this.#numberings.set(num, { levels: own, counters: counters.get(value) as number[] });
        } else if (name === "w:lvlOverride") override = Number(a["w:ilvl"] ?? 0);
        else if (name === "w:startOverride") {
          // A list that starts again counts for itself.
          const own = numLevels.get(num);
          const old = own?.get(override);
          if (own !== undefined && old !== undefined) own.set(override, { ...old, start: Number(value) || 0 });
          if (own !== undefined) this.#numberings.set(num, { levels: own, counters: [] });
        }
      },
      close: (name) => {
        if (name === "w:lvl") level = null;
        if (name === "w:num") num = "";
      },
    });
  }

  /** The number of the next paragraph in this list, "" for none, "• " for bullets. */
  next(numId: string, depth: number): string {
    const numbering = this.#numberings.get(numId);
    const level = numbering?.levels.get(depth);
    if (numbering === undefined || level === undefined || level.format === "none") return "";
    if (level.format === "bullet") return "• ";
    const { counters } = numbering;
    counters[depth] = (counters[depth] ?? level.start - 1) + 1;
    counters.length = depth + 1;
    const text = level.text.replace(/%(\d)/g, (_, digit: string) => {
      const at = Number(digit) - 1;
      const other = numbering.levels.get(at);
      return presentNumber(counters[at] ?? other?.start ?? 1, other?.format ?? "decimal");
    });
    return text === "" ? "" : `${text}${/[、.．）)：:]$/.test(text) ? "" : " "}`;
  }
}
