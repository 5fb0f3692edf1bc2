/** @file Characters with positions to lines in reading order: fragments, columns, rows. Knows no PDF library and no paragraphs. */
import type { PdfChar, PdfPage, SpaceBefore } from "./pdf-engine.ts";
import { isCjk } from "./text-shape.ts";

export type Fragment = { text: string; x0: number; y0: number; x1: number; y1: number; size: number };

/** A line, with the left and right edge of the column it stands in. */
export type Line = Fragment & { readonly columnX0: number; readonly columnX1: number };

const middle = (f: { readonly y0: number; readonly y1: number }): number => (f.y0 + f.y1) / 2;

/** `usual` is the mean gap on this line so far, in ems; null while too few are known. */
function needsSpace(last: string, next: string, gap: number, size: number, space: SpaceBefore, usual: number | null): boolean {
  if (last === " " || last === "　" || next === "　") return false;
  // Justified Chinese is full of small gaps that mean nothing; a space somebody typed means something.
  // In a line set without gaps, a gap is a space too.
  if (isCjk(last) && isCjk(next)) return gap > size * (space === "real" ? 0.15 : space === "guessed" && usual !== null && usual < 0.04 ? 0.2 : 0.7);
  if (isCjk(last) || isCjk(next)) return gap > size * (space === "real" ? 0.1 : space === "guessed" ? 0.3 : 0.45);
  return space === "none" ? gap > size * 0.2 : gap > size * 0.04;
}

/** Runs of characters on one baseline without a wide gap. */
export function collectFragments(page: PdfPage): Fragment[] {
  const fragments: Fragment[] = [];
  let open: Fragment | null = null;
  let previous: PdfChar | null = null;
  let votes = 0;
  let [gaps, gapCount] = [0, 0];
  for (const char of page.chars) {
    if (char.x1 < -5 || char.x0 > page.width + 5 || char.y1 < -5 || char.y0 > page.height + 5) continue;
    const { size } = char;
    const text = String.fromCodePoint(char.code > 0 && char.code <= 0x10ffff ? char.code : 0x20);
    if (open !== null && previous !== null) {
      const gap = char.x0 - open.x1;
      const sameLine = Math.abs(middle(char) - middle(open)) < 0.45 * Math.max(size, open.size) && char.y0 < open.y1 && char.y1 > open.y0;
      // Bold made by printing a character twice.
      if (sameLine && char.code === previous.code && Math.abs(char.x0 - previous.x0) < size * 0.15) continue;
      if (sameLine && gap > -0.6 * size && gap < 1.4 * Math.max(size, open.size)) {
        const last = open.text.at(-1) ?? "";
        const spaced = needsSpace(last, text, gap, size, char.space, gapCount < 2 ? null : gaps / gapCount);
        open.text += spaced ? ` ${text}` : text;
        if (!spaced) {
          gaps += Math.abs(gap) / size;
          gapCount++;
        }
        open.x1 = Math.max(open.x1, char.x1);
        // The size most characters have: one large bullet makes no heading.
        if (size === open.size) votes++;
        else if (--votes < 0) {
          open.size = size;
          open.y0 = char.y0;
          open.y1 = char.y1;
          votes = 1;
        }
        previous = char;
        continue;
      }
    }
    open = { text, x0: char.x0, y0: char.y0, x1: char.x1, y1: char.y1, size };
    votes = 1;
    [gaps, gapCount] = [0, 0];
    fragments.push(open);
    previous = char;
  }
  return fragments.filter((fragment) => fragment.text.trim() !== "");
}

function median(values: number[]): number {
  if (values.length === 0) return 0;
  values.sort((a, b) => a - b);
  return values[values.length >> 1] ?? 0;
}

/** Fragments on one height become one line, left to right. */
function joinRows(fragments: readonly Fragment[]): Line[] {
  const columnX0 = Math.min(...fragments.map((f) => f.x0));
  const columnX1 = Math.max(...fragments.map((f) => f.x1));
  const sorted = [...fragments].sort((a, b) => middle(a) - middle(b));
  const rows: Fragment[][] = [];
  for (const fragment of sorted) {
    const row = rows.at(-1);
    const anchor = row?.[0];
    if (
      row !== undefined &&
      anchor !== undefined &&
      Math.abs(middle(anchor) - middle(fragment)) < 0.5 * Math.min(anchor.y1 - anchor.y0, fragment.y1 - fragment.y0)
    )
      row.push(fragment);
    else rows.push([fragment]);
  }
  return rows.map((row) => {
    row.sort((a, b) => a.x0 - b.x0);
    let text = "";
    let right = 0;
    const size = row.reduce((widest, part) => (part.text.length > widest.text.length ? part : widest)).size;
    for (const part of row) {
      const last = text.at(-1) ?? " ";
      const tight = part.x0 - right < 0.3 * part.size || (isCjk(last) && isCjk(part.text[0] ?? "") && part.x0 - right < 0.7 * part.size);
      text += text === "" || tight ? part.text : ` ${part.text}`;
      right = part.x1;
    }
    return {
      text: text.replaceAll("　", " ").trim(),
      size,
      columnX0,
      columnX1,
      x0: Math.min(...row.map((f) => f.x0)),
      x1: Math.max(...row.map((f) => f.x1)),
      y0: Math.min(...row.map((f) => f.y0)),
      y1: Math.max(...row.map((f) => f.y1)),
    };
  });
}

const binWidth = 3;

/** An upright strip that (almost) no narrow fragment crosses, with running text on both sides: null in tables and single columns. */
function findGutter(fragments: readonly Fragment[]): number | null {
  const left = Math.min(...fragments.map((f) => f.x0));
  const right = Math.max(...fragments.map((f) => f.x1));
  const width = right - left;
  const narrow = fragments.filter((f) => f.x1 - f.x0 < width * 0.62);
  if (narrow.length < 8 || width < 150) return null;
  const bins = new Uint16Array(Math.ceil(width / binWidth) + 1);
  for (const f of narrow) {
    for (let bin = Math.floor((f.x0 - left) / binWidth); bin <= Math.floor((f.x1 - left) / binWidth); bin++) bins[bin] = (bins[bin] ?? 0) + 1;
  }
  const allowed = Math.floor(narrow.length * 0.04);
  const size = median(narrow.map((f) => f.size));
  let best: { at: number; width: number } | null = null;
  let run = 0;
  for (let bin = 0; bin < bins.length; bin++) {
    if ((bins[bin] ?? 0) <= allowed) {
      run++;
      continue;
    }
    const at = (bin - run / 2) * binWidth;
    if (run * binWidth >= Math.max(6, size * 0.7) && at > width * 0.2 && at < width * 0.8 && (best === null || run * binWidth > best.width))
      best = { at: left + at, width: run * binWidth };
    run = 0;
  }
  if (best === null) return null;
  const gutter = best.at;
  const sides = [narrow.filter((f) => f.x1 <= gutter + 1), narrow.filter((f) => f.x0 >= gutter - 1)];
  for (const side of sides) {
    if (side.length < 4) return null;
    const sideWidth = Math.max(...side.map((f) => f.x1)) - Math.min(...side.map((f) => f.x0));
    if (median(side.map((f) => f.x1 - f.x0)) < sideWidth * 0.55 || median(side.map((f) => f.text.length)) < 8) return null;
  }
  return gutter;
}

/** Reading order: down each column, stopping where a line spans them all. */
export function orderLines(fragments: readonly Fragment[], depth = 0): Line[] {
  if (fragments.length === 0) return [];
  const gutter = depth < 3 ? findGutter(fragments) : null;
  if (gutter === null) return joinRows(fragments);
  const lines: Line[] = [];
  let left: Fragment[] = [];
  let right: Fragment[] = [];
  let spanning: Fragment[] = [];
  const flushColumns = (): void => {
    lines.push(...orderLines(left, depth + 1), ...orderLines(right, depth + 1));
    left = [];
    right = [];
  };
  const flushSpanning = (): void => {
    if (spanning.length > 0) lines.push(...joinRows(spanning));
    spanning = [];
  };
  for (const fragment of [...fragments].sort((a, b) => middle(a) - middle(b))) {
    if (fragment.x1 <= gutter + 1 || fragment.x0 >= gutter - 1) {
      flushSpanning();
      (fragment.x1 <= gutter + 1 ? left : right).push(fragment);
    } else {
      flushColumns();
      spanning.push(fragment);
    }
  }
  flushColumns();
  flushSpanning();
  return lines;
}
