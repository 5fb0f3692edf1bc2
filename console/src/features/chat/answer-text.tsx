/** @file An answer with its numerals: hovering or focusing one shows the sentence, clicking opens the source pane there. */
import { useCallback, useId, useMemo, useState } from "react";
import { createPortal } from "react-dom";
import { useTranslation } from "react-i18next";
import type { Citation } from "#contracts";
import { EditionTag } from "../source/edition-tag.tsx";
import { useOpenSource } from "../source/use-source.ts";
import { Markdown } from "./markdown.tsx";

type Shown = { readonly citation: Citation; readonly left: number; readonly top: number; readonly above: boolean };

export function AnswerText({ text, citations }: { readonly text: string; readonly citations: readonly Citation[] }) {
  const { t } = useTranslation();
  const openSource = useOpenSource();
  const [shown, setShown] = useState<Shown | null>(null);
  const cardId = useId();
  const byMarker = useMemo(() => new Map(citations.map((citation) => [citation.marker, citation])), [citations]);

  const show = useCallback((citation: Citation, element: HTMLElement) => {
    const box = element.getBoundingClientRect();
    const above = box.top > 240;
    setShown({ citation, left: Math.max(12, Math.min(box.left - 24, window.innerWidth - 372)), top: above ? box.top - 8 : box.bottom + 8, above });
  }, []);
  const hide = useCallback(() => setShown(null), []);

  const cite = useCallback(
    (marker: number) => {
      const citation = byMarker.get(marker);
      if (citation === undefined) return null;
      return (
        <button
          type="button"
          className="cite"
          aria-label={t("chat.citation", { marker, document: citation.title })}
          aria-describedby={cardId}
          onMouseEnter={(event) => show(citation, event.currentTarget)}
          onFocus={(event) => show(citation, event.currentTarget)}
          onMouseLeave={hide}
          onBlur={hide}
          onClick={() => (hide(), openSource(citation))}
        >
          {marker}
        </button>
      );
    },
    [byMarker, cardId, hide, openSource, show, t],
  );

  return (
    <>
      <Markdown text={text} cite={cite} />
      {shown === null
        ? null
        : createPortal(
            <div
              id={cardId}
              role="tooltip"
              className="cite-card"
              style={{ left: shown.left, top: shown.top, translate: shown.above ? "0 -100%" : undefined }}
            >
              <q>{shown.citation.quote}</q>
              <p className="muted tiny row">
                <span className="clip">{shown.citation.title}</span>
                {shown.citation.page === null ? null : <span className="nowrap">{t("source.page", { page: shown.citation.page })}</span>}
                <EditionTag edition={shown.citation.edition} />
              </p>
            </div>,
            document.body,
          )}
    </>
  );
}
