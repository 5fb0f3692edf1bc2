/** @file One document: its text with pages, its passages, its facts, editions and what went wrong. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { DocumentInfo } from "#contracts";
import { client } from "../../api/client.ts";
import { basesQuery, documentQuery, documentTextQuery, useAction } from "../../api/queries.ts";
import { Button, IconButton, Notice, Skeletons } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { CloseIcon, EditionIcon, OcrIcon, OriginalIcon, RemoveIcon, RetryIcon, ShareIcon, TagIcon, WarnIcon } from "../../ui/icons.ts";
import { Menu } from "../../ui/menu.tsx";
import { useRemoval } from "../../ui/remove-button.tsx";
import { ShareDialog } from "../share/share-dialog.tsx";
import { DocumentText } from "../source/document-text.tsx";
import { ChunksView } from "./chunks-view.tsx";
import { ApprovalNotice, ReviewFacts } from "./document-care.tsx";
import { EditFacts } from "./document-edit.tsx";
import { DocumentStateBadge } from "./document-state.tsx";

export function DocumentPage() {
  const { t } = useTranslation();
  const documentId = useParams({ strict: false }).documentId ?? "";
  const search = useSearch({ from: "/shell/documents/$documentId" });
  const info = useQuery(documentQuery(documentId));
  if (info.isPending) return <Skeletons rows={8} label={t("common.loading")} />;
  if (info.isError)
    return (
      <div className="page-body">
        <ErrorCard error={info.error} onRetry={() => void info.refetch()} />
      </div>
    );
  const document = info.data;
  const { view = "text", ...place } = search;
  return (
    <div className="page">
      <DocumentHead document={document} />
      <nav className="tabs" aria-label={document.title}>
        <Link to="." search={place} activeOptions={{ exact: true, includeSearch: true }}>
          {t("document.text")}
        </Link>
        <Link to="." search={{ view: "chunks" }} activeOptions={{ exact: true, includeSearch: true }}>
          {t("document.chunks")}
          <span className="count">{document.chunks}</span>
        </Link>
      </nav>
      <div className="page-body document-body">
        <div className="grow">
          <Approval document={document} />
          <DocumentTroubles document={document} />
          {view === "text" ? (
            <TextView document={document} start={search.start} end={search.end} version={search.version} />
          ) : (
            <ChunksView documentId={document.id} />
          )}
        </div>
        <DocumentFacts document={document} />
      </div>
    </div>
  );
}

function DocumentHead({ document }: { readonly document: DocumentInfo }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { data: bases } = useQuery(basesQuery());
  const base = bases?.find((item) => item.id === document.kbId);
  const [sharing, setSharing] = useState(false);
  const removal = useRemoval();
  const remove = useAction(() => client.knowledge.removeDocument(document.id), [["documents"], ["bases"]]);
  const onRemove = () => {
    removal({ id: document.id, removed: t("documents.removed", { title: document.title }), action: remove });
    void navigate({ to: "/knowledge/$kbId", params: { kbId: document.kbId } });
  };
  return (
    <header className="page-head">
      <nav aria-label={t("common.path")} className="row crumbs">
        <Link to="/knowledge">{t("place.knowledge")}</Link>
        <span className="muted">/</span>
        <Link to="/knowledge/$kbId" params={{ kbId: document.kbId }} className="clip">
          {base?.name ?? t("kb.base")}
        </Link>
        <span className="muted">/</span>
      </nav>
      <h1 className="clip">{document.title}</h1>
      <span className="base-state">
        <DocumentStateBadge document={document} />
      </span>
      <a
        className="button quiet icon small"
        href={client.knowledge.originalUrl(document.id)}
        target="_blank"
        rel="noreferrer"
        aria-label={t("source.original")}
        title={t("source.original")}
      >
        <OriginalIcon size={15} aria-hidden />
      </a>
      {base?.level === "manage" ? (
        <IconButton label={t("share.title", { name: document.title })} icon={ShareIcon} onClick={() => setSharing(true)} />
      ) : null}
      {document.level === "read" ? null : (
        <IconButton label={t("documents.remove", { title: document.title })} icon={RemoveIcon} onClick={onRemove} />
      )}
      {sharing ? <ShareDialog kbId={document.kbId} base={base?.name ?? ""} path={document.path} onClose={() => setSharing(false)} /> : null}
    </header>
  );
}

function Approval({ document }: { readonly document: DocumentInfo }) {
  const { data: bases } = useQuery(basesQuery());
  return <ApprovalNotice document={document} manages={bases?.find((item) => item.id === document.kbId)?.level === "manage"} />;
}

function DocumentTroubles({ document }: { readonly document: DocumentInfo }) {
  const { t } = useTranslation();
  const retry = useAction(() => client.knowledge.retryDocument(document.id), [["document", document.id], ["documents"]]);
  return (
    <div className="col" style={{ gap: 8, marginBottom: document.error !== null || document.scannedPages.length > 0 ? 16 : 0 }}>
      {document.error === null ? null : <ErrorCard error={document.error} onRetry={() => retry.mutate(undefined)} />}
      {retry.isError ? <ErrorCard error={retry.error} /> : null}
      {document.scannedPages.length === 0 ? null : (
        <Notice
          tone="warn"
          icon={OcrIcon}
          action={
            document.state === "needs-ocr" ? (
              <Button small look="quiet" icon={RetryIcon} onClick={() => retry.mutate(undefined)}>
                {t("common.retry")}
              </Button>
            ) : undefined
          }
        >
          {t("document.scanned", { count: document.scannedPages.length, pages: document.scannedPages.slice(0, 12).join(", ") })}
        </Notice>
      )}
    </div>
  );
}

function TextView({
  document,
  start,
  end,
  version,
}: {
  readonly document: DocumentInfo;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly version: string | undefined;
}) {
  const { t } = useTranslation();
  const readable = document.state === "words" || document.state === "ready" || document.version > 1;
  const text = useQuery({ ...documentTextQuery(document.id, version), enabled: readable });
  if (!readable)
    return document.error === null && document.state !== "needs-ocr" ? (
      <p className="muted" role="status">
        {t("document.notRead")}
      </p>
    ) : null;
  if (text.isPending) return <Skeletons rows={8} label={t("common.loading")} />;
  if (text.isError) return <ErrorCard error={text.error} onRetry={() => void text.refetch()} />;
  return <DocumentText source={text.data} mark={start === undefined || end === undefined ? undefined : { start, end }} />;
}

function DocumentFacts({ document }: { readonly document: DocumentInfo }) {
  const { t } = useTranslation();
  const { data: bases } = useQuery(basesQuery());
  const manages = bases?.find((item) => item.id === document.kbId)?.level === "manage";
  const { bytes, number, date } = useFormat();
  const facts: readonly (readonly [string, string | null])[] = [
    [t("document.path"), document.path],
    [t("document.type"), document.type.toUpperCase()],
    [t("documents.size"), bytes(document.sizeBytes)],
    [t("documents.pages"), document.pages === null ? null : number(document.pages)],
    [t("document.date"), document.date],
    [t("document.version"), String(document.version)],
    [t("document.added"), date(document.createdAt)],
  ];
  return (
    <aside className="facts" aria-label={t("document.facts")}>
      <dl>
        {facts.map(([name, value]) =>
          value === null ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd title={value}>{value}</dd>
            </div>
          ),
        )}
      </dl>
      {document.level === "read" ? null : <EditFacts document={document} />}
      <ReviewFacts document={document} manages={manages} />
      <Tags document={document} />
      <Editions document={document} />
      {document.warnings.length === 0 ? null : (
        <section>
          <h2 className="label row">
            <WarnIcon size={14} aria-hidden />
            {t("document.warnings")}
          </h2>
          <ul className="small soft">
            {document.warnings.slice(0, 20).map((warning, index) => (
              <li key={index}>{warning.message}</li>
            ))}
          </ul>
        </section>
      )}
    </aside>
  );
}

function Tags({ document }: { readonly document: DocumentInfo }) {
  const { t } = useTranslation();
  const save = useAction(
    (tags: readonly string[]) => client.knowledge.updateDocument(document.id, { tags }),
    [["document", document.id], ["documents"]],
  );
  return (
    <section>
      <h2 className="label row">
        <TagIcon size={14} aria-hidden />
        {t("document.tags")}
      </h2>
      <div className="row wrap" style={{ gap: 4 }}>
        {document.tags.map((tag) => (
          <span key={tag} className="tag">
            {tag}
            <button
              type="button"
              aria-label={t("document.removeTag", { tag })}
              onClick={() => save.mutate(document.tags.filter((other) => other !== tag))}
            >
              <CloseIcon size={12} aria-hidden />
            </button>
          </span>
        ))}
        <Menu label={t("document.addTag")} className="button quiet small" text={t("document.addTag")}>
          {(close) => (
            <form
              style={{ padding: 4 }}
              onSubmit={(event) => {
                event.preventDefault();
                const tag = String(new FormData(event.currentTarget).get("tag")).trim();
                if (tag !== "" && !document.tags.includes(tag)) save.mutate([...document.tags, tag]);
                close();
              }}
            >
              <input name="tag" className="input" aria-label={t("document.addTag")} maxLength={50} placeholder={t("document.tagPlaceholder")} />
            </form>
          )}
        </Menu>
      </div>
    </section>
  );
}

function Editions({ document }: { readonly document: DocumentInfo }) {
  const { t } = useTranslation();
  const edition = document.edition;
  if (edition === null) return null;
  return (
    <section>
      <h2 className="label row">
        <EditionIcon size={14} aria-hidden />
        {t("edition.title")}
      </h2>
      <ul className="small col" style={{ gap: 4 }}>
        <li className="row">
          <span className={edition.state === "superseded" ? "tag warn" : "tag accent"}>
            {edition.state === "superseded" ? t("edition.superseded") : t("edition.current")}
          </span>
          <span className="num">{document.date ?? ""}</span>
          <span className="muted">{t("edition.this")}</span>
        </li>
        {edition.others.map((other) => (
          <li key={other.documentId}>
            <Link to="/documents/$documentId" params={{ documentId: other.documentId }} search={{}} className="row">
              <span className="num">{other.date ?? t("edition.undated")}</span>
              <span className="clip">{other.path}</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
