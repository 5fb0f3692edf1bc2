/** @file A document's text as it was read, block by block with its pages; the cited sentence is marked and in view. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DocumentText as TextOfDocument } from "#client";
import type { Block } from "#contracts";
import { Button } from "../../ui/basics.tsx";

const around = 80;
const step = 200;
export type Span = { readonly start: number; readonly end: number };

/** Where a format gave no blocks, lines are blocks. */
function blocksOf(source: TextOfDocument): readonly Block[] {
  if (source.blocks.length > 0) return source.blocks;
  const blocks: Block[] = [];
  let start = 0;
  for (const line of source.text.split("\n")) {
    if (line.trim() !== "") blocks.push({ kind: "paragraph", start, end: start + line.length, page: null });
    start += line.length + 1;
  }
  return blocks;
}

type Props = { readonly source: TextOfDocument; readonly mark?: Span | undefined };

/** Another sentence or version is another reading: it starts there anew. */
export function DocumentText({ source, mark }: Props) {
  return <Reading key={`${source.versionId}:${mark?.start ?? 0}:${mark?.end ?? 0}`} source={source} mark={mark} />;
}

function Reading({ source, mark }: Props) {
  const { t } = useTranslation();
  const blocks = useMemo(() => blocksOf(source), [source]);
  const target = useMemo(() => (mark === undefined ? -1 : blocks.findIndex((block) => block.end > mark.start)), [blocks, mark?.start]);
  const [range, setRange] = useState<readonly [number, number]>(() => [Math.max(0, target - around), Math.max(0, target) + around * 2]);
  const holder = useRef<HTMLDivElement>(null);
  const bottom = useRef<HTMLDivElement>(null);

  // Before the first paint, and once more when fonts and the pane's width have settled.
  useLayoutEffect(() => {
    const scroll = () => holder.current?.querySelector("mark")?.scrollIntoView({ block: "center" });
    scroll();
    const timer = setTimeout(scroll, 80);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    const element = bottom.current;
    if (element === null) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setRange(([from, to]) => (to < blocks.length ? [from, to + step] : [from, to])),
      { rootMargin: "600px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [blocks.length, range]);

  const [from, to] = range;
  const shown = blocks.slice(from, to);
  return (
    <div className="document-text" ref={holder}>
      {from > 0 ? (
        <Button small look="quiet" onClick={() => setRange([Math.max(0, from - step), to])}>
          {t("source.earlier")}
        </Button>
      ) : null}
      {shown.map((block, index) => {
        const before = shown[index - 1] ?? blocks[from - 1];
        const newPage = block.page !== null && (before === undefined || before.page !== block.page);
        return (
          <div key={block.start}>
            {newPage ? (
              <div className="page-rule" id={`page-${block.page}`}>
                <span>{t("source.page", { page: block.page })}</span>
              </div>
            ) : null}
            <p className={`block ${block.kind}`} data-level={block.level}>
              <Marked text={source.text} span={block} mark={mark} />
            </p>
          </div>
        );
      })}
      <div ref={bottom} />
    </div>
  );
}

function Marked({ text, span, mark }: { readonly text: string; readonly span: Span; readonly mark?: Span | undefined }) {
  const start = Math.max(span.start, mark?.start ?? span.end);
  const end = Math.min(span.end, mark?.end ?? span.start);
  if (start >= end) return text.slice(span.start, span.end);
  return (
    <>
      {text.slice(span.start, start)}
      <mark>{text.slice(start, end)}</mark>
      {text.slice(end, span.end)}
    </>
  );
}
