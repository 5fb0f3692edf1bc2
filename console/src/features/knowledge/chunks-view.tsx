/** @file The passages a document was cut into, as search sees them; edit, split and join by hand. */
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ChunkInfo } from "#contracts";
import { client } from "../../api/client.ts";
import { chunksQuery, useAction } from "../../api/queries.ts";
import { Button, IconButton, Skeletons } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { EditIcon, MergeIcon, SplitIcon } from "../../ui/icons.ts";

export function ChunksView({ documentId }: { readonly documentId: string }) {
  const { t } = useTranslation();
  const chunks = useQuery(chunksQuery(documentId));
  const scroll = useRef<HTMLDivElement>(null);
  const rows = chunks.data ?? [];
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => 132,
    overscan: 6,
    getItemKey: (index) => rows[index]?.id ?? index,
  });
  if (chunks.isPending) return <Skeletons rows={6} label={t("common.loading")} />;
  if (chunks.isError) return <ErrorCard error={chunks.error} onRetry={() => void chunks.refetch()} />;
  if (rows.length === 0) return <p className="muted">{t("chunks.none")}</p>;
  return (
    <div className="chunk-scroll" ref={scroll} tabIndex={0} role="region" aria-label={t("document.chunks")}>
      <p className="muted small" style={{ paddingBottom: 8 }}>
        {t("chunks.hint")}
      </p>
      <ol style={{ height: list.getTotalSize(), position: "relative" }}>
        {list.getVirtualItems().map((item) => {
          const chunk = rows[item.index];
          return chunk === undefined ? null : (
            <li
              key={item.key}
              data-index={item.index}
              ref={list.measureElement}
              className="doc-slot"
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <ChunkCard chunk={chunk} documentId={documentId} last={item.index === rows.length - 1} />
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function ChunkCard({ chunk, documentId, last }: { readonly chunk: ChunkInfo; readonly documentId: string; readonly last: boolean }) {
  const { t } = useTranslation();
  const [mode, setMode] = useState<"read" | "edit" | "split">("read");
  const stale = [
    ["chunks", documentId],
    ["document", documentId],
  ];
  const done = { onSuccess: () => setMode("read") };
  const edit = useAction((text: string) => client.knowledge.updateChunk(chunk.id, text), stale);
  const split = useAction((offset: number) => client.knowledge.splitChunk(chunk.id, offset), stale);
  const merge = useAction(() => client.knowledge.mergeChunk(chunk.id), stale);
  const error = edit.error ?? split.error ?? merge.error;
  return (
    <article className="card chunk">
      <header className="row">
        <span className="muted tiny num">{chunk.ordinal + 1}</span>
        {chunk.label === null ? null : <strong className="small">{chunk.label}</strong>}
        <span className="muted tiny clip">{chunk.context.join(" › ")}</span>
        {chunk.page === null ? null : <span className="muted tiny nowrap">{t("source.page", { page: chunk.page })}</span>}
        {chunk.edited ? <span className="tag accent">{t("chunks.edited")}</span> : null}
        {chunk.embedded ? null : <span className="tag">{t("chunks.wordsOnly")}</span>}
        <span className="row end" style={{ gap: 0 }}>
          <IconButton
            label={t("chunks.edit")}
            icon={EditIcon}
            aria-pressed={mode === "edit"}
            onClick={() => setMode(mode === "edit" ? "read" : "edit")}
          />
          <IconButton
            label={t("chunks.split")}
            icon={SplitIcon}
            aria-pressed={mode === "split"}
            onClick={() => setMode(mode === "split" ? "read" : "split")}
          />
          {last ? null : <IconButton label={t("chunks.merge")} icon={MergeIcon} disabled={merge.isPending} onClick={() => merge.mutate(undefined)} />}
        </span>
      </header>
      {mode === "edit" ? (
        <ChunkEditor chunk={chunk} busy={edit.isPending} onCancel={() => setMode("read")} onSave={(text) => edit.mutate(text, done)} />
      ) : null}
      {mode === "split" ? <ChunkSplitter chunk={chunk} busy={split.isPending} onSplit={(offset) => split.mutate(offset, done)} /> : null}
      {mode === "read" ? <p className="chunk-text">{chunk.text}</p> : null}
      {error === null ? null : <ErrorCard error={error} />}
    </article>
  );
}

function ChunkEditor({
  chunk,
  busy,
  onCancel,
  onSave,
}: {
  readonly chunk: ChunkInfo;
  readonly busy: boolean;
  readonly onCancel: () => void;
  readonly onSave: (text: string) => void;
}) {
  const { t } = useTranslation();
  const [text, setText] = useState(chunk.text);
  return (
    <form className="col" style={{ gap: 8 }} onSubmit={(event) => (event.preventDefault(), onSave(text))}>
      <textarea
        className="input"
        aria-label={t("chunks.edit")}
        rows={Math.min(16, 3 + Math.ceil(text.length / 60))}
        value={text}
        autoFocus
        onChange={(event) => setText(event.target.value)}
      />
      <div className="row">
        <span className="muted tiny">{t("chunks.editHint")}</span>
        <Button small className="end" onClick={onCancel}>
          {t("common.cancel")}
        </Button>
        <Button small look="primary" type="submit" busy={busy} disabled={text.trim() === ""}>
          {t("common.save")}
        </Button>
      </div>
    </form>
  );
}

/** The text with a cut offered after each sentence. */
function ChunkSplitter({ chunk, busy, onSplit }: { readonly chunk: ChunkInfo; readonly busy: boolean; readonly onSplit: (offset: number) => void }) {
  const { t } = useTranslation();
  const pieces = chunk.text.match(/[^。！？；.!?;\n]*[。！？；.!?;\n]+|[^。！？；.!?;\n]+$/g) ?? [chunk.text];
  let offset = 0;
  return (
    <div className="chunk-text">
      {pieces.map((piece, index) => {
        offset += piece.length;
        const at = offset;
        return (
          <span key={at}>
            {piece}
            {index < pieces.length - 1 ? (
              <button
                type="button"
                className="cut"
                disabled={busy}
                aria-label={t("chunks.splitAt", { text: piece.trim().slice(-12) })}
                title={t("chunks.split")}
                onClick={() => onSplit(at)}
              >
                <SplitIcon size={12} aria-hidden />
              </button>
            ) : null}
          </span>
        );
      })}
      {pieces.length < 2 ? <p className="muted tiny">{t("chunks.oneSentence")}</p> : null}
    </div>
  );
}
