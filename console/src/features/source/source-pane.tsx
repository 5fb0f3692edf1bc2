/** @file The source beside an answer: the document opened at the cited sentence; a sheet on a phone. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../api/client.ts";
import { documentQuery, documentTextQuery } from "../../api/queries.ts";
import { IconButton, Skeletons } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { CloseIcon, DocumentIcon, OriginalIcon } from "../../ui/icons.ts";
import { DocumentText } from "./document-text.tsx";
import { EditionTag } from "./edition-tag.tsx";
import { useCloseSource } from "./use-source.ts";

type Props = {
  readonly documentId: string;
  readonly version?: string | undefined;
  readonly start?: number | undefined;
  readonly end?: number | undefined;
};

export function SourcePane({ documentId, version, start, end }: Props) {
  const { t } = useTranslation();
  const close = useCloseSource();
  const pane = useRef<HTMLElement>(null);
  const info = useQuery(documentQuery(documentId));
  const text = useQuery(documentTextQuery(documentId, version));
  const mark = start === undefined || end === undefined ? undefined : { start, end };
  const page = mark === undefined ? null : (text.data?.blocks.find((block) => block.end > mark.start)?.page ?? null);
  useEffect(() => pane.current?.focus({ preventScroll: true }), [documentId, start]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) =>
      event.key === "Escape" && document.querySelector("dialog[open], [popover]:popover-open") === null && close();
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [close]);
  const document_ = info.data;
  return (
    <aside className="source" ref={pane} tabIndex={-1} aria-label={t("source.pane")}>
      <header className="source-head">
        <DocumentIcon size={16} aria-hidden />
        <div className="grow">
          <h2 className="clip">{document_?.title ?? t("common.loading")}</h2>
          <p className="muted tiny row">
            {document_ === undefined ? null : <span className="clip">{document_.path}</span>}
            {page === null ? null : <span className="nowrap">{t("source.page", { page })}</span>}
            {document_?.edition ? <EditionTag edition={{ state: document_.edition.state, date: document_.date }} /> : null}
          </p>
        </div>
        <Link
          to="/documents/$documentId"
          params={{ documentId }}
          search={mark === undefined ? {} : mark}
          className="button quiet icon small"
          aria-label={t("source.openDocument")}
          title={t("source.openDocument")}
        >
          <DocumentIcon size={15} aria-hidden />
        </Link>
        <a
          className="button quiet icon small"
          href={client.knowledge.originalUrl(documentId, version)}
          target="_blank"
          rel="noreferrer"
          aria-label={t("source.original")}
          title={t("source.original")}
        >
          <OriginalIcon size={15} aria-hidden />
        </a>
        <IconButton label={t("source.close")} icon={CloseIcon} onClick={close} />
      </header>
      <div className="source-body" tabIndex={0} role="region" aria-label={document_?.title ?? t("source.pane")}>
        {text.isError ? <ErrorCard error={text.error} onRetry={() => void text.refetch()} /> : null}
        {text.isPending ? <Skeletons rows={8} label={t("common.loading")} /> : null}
        {text.data ? <DocumentText source={text.data} mark={mark} /> : null}
      </div>
    </aside>
  );
}
