/** @file Thousands of documents in one smooth list: only the rows in view exist. Rows on a desk, cards on a phone. */
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useRef, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import type { DocumentInfo } from "#contracts";
import { client } from "../../api/client.ts";
import { useAction } from "../../api/queries.ts";
import { Button, IconButton } from "../../ui/basics.tsx";
import { useErrorWords } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { DocumentIcon, EditionIcon, RemoveIcon, RetryIcon, ShareIcon, WaitingIcon } from "../../ui/icons.ts";
import { useRemoval } from "../../ui/remove-button.tsx";
import { DocumentStateBadge } from "./document-state.tsx";

const narrow = window.matchMedia("(max-width: 760px)");
const useNarrow = (): boolean =>
  useSyncExternalStore(
    (listener) => (narrow.addEventListener("change", listener), () => narrow.removeEventListener("change", listener)),
    () => narrow.matches,
  );

export function DocumentTable({
  rows,
  more,
  onMore,
  onShare,
}: {
  readonly rows: readonly DocumentInfo[];
  readonly more: boolean;
  readonly onMore: () => void;
  /** null: not for the reader to share. */
  readonly onShare: ((document: DocumentInfo) => void) | null;
}) {
  const { t } = useTranslation();
  const scroll = useRef<HTMLDivElement>(null);
  const isNarrow = useNarrow();
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => (isNarrow ? 92 : 44),
    overscan: 12,
    getItemKey: (index) => rows[index]?.id ?? index,
  });
  const items = list.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= rows.length - 20) onMore();
  }, [more, last, rows.length, onMore]);
  return (
    <div className="doc-table card" role="table" aria-label={t("kb.tabDocuments")} aria-rowcount={rows.length}>
      <div role="rowgroup" className="doc-head">
        <div role="row" className="doc-row">
          <span role="columnheader">{t("documents.name")}</span>
          <span role="columnheader">{t("documents.state")}</span>
          <span role="columnheader" className="num-cell">
            {t("documents.pages")}
          </span>
          <span role="columnheader" className="num-cell">
            {t("documents.chunks")}
          </span>
          <span role="columnheader" className="num-cell">
            {t("documents.size")}
          </span>
          <span role="columnheader">{t("documents.updated")}</span>
          <span role="columnheader">
            <span className="sr">{t("documents.actions")}</span>
          </span>
        </div>
      </div>
      <div role="rowgroup" className="doc-scroll" ref={scroll} tabIndex={0}>
        <div role="presentation" style={{ height: list.getTotalSize(), position: "relative" }}>
          {items.map((item) => {
            const document = rows[item.index];
            return document === undefined ? null : (
              <div
                key={item.key}
                role="presentation"
                data-index={item.index}
                ref={list.measureElement}
                className="doc-slot"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <DocumentRow document={document} index={item.index} onShare={onShare} />
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

const DocumentRow = memo(function DocumentRow({
  document,
  index,
  onShare,
}: {
  readonly document: DocumentInfo;
  readonly index: number;
  readonly onShare: ((document: DocumentInfo) => void) | null;
}) {
  const { t } = useTranslation();
  const { bytes, number, ago } = useFormat();
  const words = useErrorWords();
  const stale = [["documents", document.kbId], ["bases"], ["document", document.id]];
  const retry = useAction(() => client.knowledge.retryDocument(document.id), stale);
  const removal = useRemoval();
  const remove = useAction(() => client.knowledge.removeDocument(document.id), stale);
  const error = document.error === null ? null : words(document.error);
  const onRemove = () => removal({ id: document.id, removed: t("documents.removed", { title: document.title }), action: remove });
  return (
    <div role="row" aria-rowindex={index + 1} className="doc-row" data-state={document.state}>
      <span role="cell" className="doc-name">
        <DocumentIcon size={15} aria-hidden />
        <span className="col grow">
          <span className="row" style={{ gap: 6 }}>
            <Link to="/documents/$documentId" params={{ documentId: document.id }} className="clip doc-link" title={document.path}>
              {document.title || document.path}
            </Link>
            {document.version > 1 ? <span className="tag">{t("documents.version", { version: document.version })}</span> : null}
            {document.edition?.state === "superseded" ? (
              <span className="tag warn">
                <EditionIcon size={12} aria-hidden />
                {t("edition.superseded")}
              </span>
            ) : null}
            {document.approved && document.waiting === null ? null : (
              <span className="tag warn">
                <WaitingIcon size={12} aria-hidden />
                {t("care.waitsShort")}
              </span>
            )}
            {document.tags.slice(0, 3).map((tag) => (
              <span key={tag} className="tag">
                {tag}
              </span>
            ))}
          </span>
          {error === null ? (
            <span className="muted tiny clip doc-path">{document.path}</span>
          ) : (
            <span className="tiny doc-error" title={`${error.message} ${error.hint ?? ""}`}>
              {error.message}
              {error.hint ? ` ${error.hint}` : ""} <span className="mono">{error.code}</span>
            </span>
          )}
        </span>
      </span>
      <span role="cell">
        <DocumentStateBadge document={document} />
      </span>
      <span role="cell" className="num-cell num">
        {document.pages === null ? "–" : number(document.pages)}
      </span>
      <span role="cell" className="num-cell num">
        {number(document.chunks)}
      </span>
      <span role="cell" className="num-cell num nowrap">
        {bytes(document.sizeBytes)}
      </span>
      <span role="cell" className="muted tiny nowrap">
        {ago(document.updatedAt)}
      </span>
      <span role="cell" className="row doc-tools">
        {document.level !== "read" && (document.state === "failed" || document.state === "needs-ocr") ? (
          <Button small look="quiet" icon={RetryIcon} busy={retry.isPending} onClick={() => retry.mutate(undefined)}>
            {t("common.retry")}
          </Button>
        ) : null}
        {onShare === null ? null : (
          <IconButton label={t("share.title", { name: document.title })} icon={ShareIcon} onClick={() => onShare(document)} />
        )}
        {document.level === "read" ? null : (
          <IconButton label={t("documents.remove", { title: document.title })} icon={RemoveIcon} onClick={onRemove} />
        )}
      </span>
    </div>
  );
});
