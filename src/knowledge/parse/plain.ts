/** @file Plain text to blocks: hard-wrapped lines are joined again, obvious headings found. Decoding is done before. */
import type { ParsedDocument } from "#contracts";
import { DocumentBuilder } from "./builder.ts";
import type { ParseLimits } from "./limits.ts";
import { displayWidth, endsSentence, numerals, Paragraph, startsStructure } from "./text-shape.ts";

const headingLine = new RegExp(`^\\s*(第[${numerals}]{1,5}(編|编|分编|章|节|節|部分|篇|卷|回))(?:[\\s　].{0,40}|.{0,30})$`);

/** The width at which lines were broken by hand, or 0 when every line is a paragraph. */
function wrapWidth(lines: readonly string[]): number {
  const sample: { readonly width: number; readonly ends: boolean }[] = [];
  for (const line of lines) {
    if (line.trim() !== "") sample.push({ width: displayWidth(line.trimEnd()), ends: endsSentence(line) });
    if (sample.length >= 2000) break;
  }
  if (sample.length < 4) return 0;
  sample.sort((a, b) => a.width - b.width);
  const wide = sample[Math.floor(sample.length * 0.98)]?.width ?? 0;
  if (wide > 130 || wide < 30) return 0;
  const full = sample.filter(({ width }) => width >= wide - 8);
  // Broken lines mostly stop in the middle of a sentence.
  return full.length >= sample.length * 0.35 && full.filter(({ ends }) => !ends).length > full.length * 0.5 ? wide : 0;
}

function chapterLevel(mark: string): number {
  if (/[编編卷部]/.test(mark) && !mark.includes("分编")) return 1;
  if (mark.includes("分编")) return 2;
  return /[节節]$/.test(mark) ? 4 : 3;
}

export function parsePlain(text: string, limits: ParseLimits): ParsedDocument {
  const builder = new DocumentBuilder(limits);
  const lines = text.replace(/\r\n?|\f|\u2028|\u2029/g, "\n").split("\n");
  const wrap = wrapWidth(lines);
  const paragraph = new Paragraph();
  let lastWidth = 0;
  const flush = (): void => {
    builder.add("paragraph", paragraph.take());
  };
  for (const line of lines) {
    const trimmed = line.trim();
    if (trimmed === "") {
      flush();
      continue;
    }
    const heading = trimmed.length <= 45 && !endsSentence(trimmed) ? headingLine.exec(trimmed) : null;
    if (heading !== null) {
      flush();
      builder.add("heading", trimmed, { level: chapterLevel(heading[1] ?? "") });
      continue;
    }
    const goesOn = wrap > 0 && !paragraph.empty && lastWidth >= wrap - 8 && !/^(\s{2,}|　)/.test(line) && !startsStructure(trimmed);
    if (goesOn) paragraph.join(trimmed);
    else {
      flush();
      paragraph.add(trimmed);
    }
    lastWidth = displayWidth(line.trimEnd());
  }
  flush();
  return builder.finish();
}
