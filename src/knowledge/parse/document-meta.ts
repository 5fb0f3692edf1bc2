/** @file Title and edition date from a document's own words and its file name. Believes nothing that is not written there. */
import type { DocumentMeta, ParsedDocument } from "#contracts";

const fileDate = /[（(【[]?\s*((?:19|20)\d{2})[-_.年]?(0[1-9]|1[0-2]|[1-9](?!\d))[-_.月]?(0[1-9]|[12]\d|3[01]|[1-9](?!\d))日?\s*[)）\]】]?/;
const act =
  /((?:19|20)\d{2})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日([^。；\n]{0,120}?)(通过|修订|修正|修改|公布|发布|印发|批准|颁布|制定|施行|实施)/g;

function iso(year: string, month: string, day: string): string | null {
  const [m, d] = [Number(month), Number(day)];
  if (m < 1 || m > 12 || d < 1 || d > 31) return null;
  return `${year}-${String(m).padStart(2, "0")}-${String(d).padStart(2, "0")}`;
}

export function dateFromName(path: string): string | null {
  const name = path.split("/").at(-1) ?? path;
  const found = fileDate.exec(name);
  return found === null ? null : iso(found[1] ?? "", found[2] ?? "", found[3] ?? "");
}

/** The last adoption or amendment named before the first article; coming into force only when nothing else is. */
export function dateFromText(text: string): string | null {
  const firstArticle = text.search(/^第[一1]条/m);
  const head = text.slice(0, Math.min(3000, firstArticle > 0 ? firstArticle : 1500));
  let last: string | null = null;
  let effective: string | null = null;
  for (const [, year = "", month = "", day = "", , verb = ""] of head.matchAll(act)) {
    const date = iso(year, month, day);
    if (date === null) continue;
    if (verb === "施行" || verb === "实施") effective ??= date;
    else if (last === null || date > last) last = date;
  }
  return last ?? effective;
}

/** "劳动法(2018-12-29).md" -> "劳动法". */
export function titleFromName(path: string): string {
  const name = (path.split("/").at(-1) ?? path).replace(/\.[A-Za-z0-9]{1,10}$/, "");
  const bare = name.replace(/[（(【[]\s*(?:19|20)\d{2}[-_.年]?\d{0,2}[-_.月]?\d{0,2}日?\s*[)）\]】]\s*$/, "").trim();
  return bare === "" ? name : bare;
}

export function completeMeta(parsed: ParsedDocument, path: string): DocumentMeta {
  const block = parsed.blocks.find((b) => b.kind === "title");
  const first = parsed.blocks[0];
  const firstText = first === undefined ? "" : parsed.text.slice(first.start, first.end);
  const looksLikeTitle = first !== undefined && first.end - first.start <= 60 && !/[。；;，,：:|]/.test(firstText) && /[\p{L}]/u.test(firstText);
  // "第一章 总则" opens a text, and names it never.
  const isPart = /^第.{1,5}(?:编|章|节|条|部分|篇)/.test(firstText);
  const headingFirst = first?.kind === "heading" && (first.level ?? 1) === 1 && looksLikeTitle && !isPart;
  const named = titleFromName(path);
  // Plain text and PDF without a larger title: the first line, when it says what the file name says.
  const spoken =
    looksLikeTitle &&
    !isPart &&
    first?.page !== undefined &&
    (firstText.replace(/\s/g, "").includes(named.replace(/\s/g, "")) || /[法例定则令议知案程]$/.test(firstText))
      ? firstText
      : null;
  const title =
    parsed.meta.title ??
    (block === undefined ? null : parsed.text.slice(block.start, block.end)) ??
    (headingFirst ? firstText : null) ??
    spoken ??
    named;
  const date = dateFromName(path) ?? dateFromText(parsed.text) ?? parsed.meta.date ?? null;
  return { ...parsed.meta, title: title.replace(/\s+/g, " ").trim().slice(0, 300), ...(date === null ? {} : { date }) };
}
