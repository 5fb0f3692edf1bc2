/** @file The retrieval test: what a question finds, each hit's rank by words, by meaning and together, and where the time went. Same path as chat. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { RetrieveHit, RetrieveResult } from "#contracts";
import { client } from "../../api/client.ts";
import { Button, Empty, Notice, Skeletons, Switch } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { InfoIcon, SearchIcon } from "../../ui/icons.ts";
import { EditionTag } from "../source/edition-tag.tsx";
import { useBase } from "./base-layout.tsx";
import { filterOf, RetrievalFilter } from "./retrieval-filter.tsx";

export function RetrievalTab() {
  const { t } = useTranslation();
  const base = useBase();
  const navigate = useNavigate();
  const { q = "", ...filter } = useSearch({ from: "/shell/knowledge/$kbId/search" });
  const filtered = Object.keys(filter).length > 0;
  const [limit, setLimit] = useState(10);
  const [lexicalOnly, setLexicalOnly] = useState(false);
  const result = useQuery({
    queryKey: ["search", base.id, q, limit, lexicalOnly, filter],
    enabled: q !== "",
    queryFn: ({ signal }) => client.knowledge.search(base.id, { query: q, limit, lexicalOnly, filter: filterOf(filter) }, signal),
    staleTime: 0,
  });
  return (
    <div className="page-body">
      <form
        className="row wrap toolbar"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          const next = String(new FormData(event.currentTarget).get("q")).trim();
          if (next === q) void result.refetch();
          else void navigate({ to: ".", search: { ...filter, ...(next === "" ? {} : { q: next }) } });
        }}
      >
        <div className="search grow">
          <SearchIcon size={15} aria-hidden />
          <input
            key={q}
            name="q"
            type="search"
            className="input"
            defaultValue={q}
            autoFocus
            aria-label={t("retrieval.query")}
            placeholder={t("retrieval.placeholder")}
          />
        </div>
        <Switch checked={lexicalOnly} onChange={setLexicalOnly}>
          {t("retrieval.wordsOnly")}
        </Switch>
        <select className="input filter" aria-label={t("retrieval.limit")} value={limit} onChange={(event) => setLimit(Number(event.target.value))}>
          {[5, 10, 20, 50].map((count) => (
            <option key={count} value={count}>
              {t("retrieval.first", { count })}
            </option>
          ))}
        </select>
        <Button look="primary" type="submit" icon={SearchIcon} busy={result.isFetching}>
          {t("retrieval.go")}
        </Button>
      </form>
      <RetrievalFilter
        kbId={base.id}
        value={filter}
        onChange={(patch) =>
          void navigate({ to: ".", search: { ...(q === "" ? {} : { q }), ...withoutUndefined({ ...filter, ...patch }) }, replace: true })
        }
      />
      {q === "" ? (
        <Empty icon={SearchIcon} title={t("retrieval.emptyTitle")}>
          {t("retrieval.emptyHint")}
        </Empty>
      ) : null}
      {result.isError ? <ErrorCard error={result.error} onRetry={() => void result.refetch()} /> : null}
      {result.isPending && q !== "" ? <Skeletons rows={6} label={t("retrieval.searching")} /> : null}
      {result.data ? <Hits result={result.data} filtered={filtered} /> : null}
    </div>
  );
}

function withoutUndefined<T extends Readonly<Record<string, string | undefined>>>(value: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as { [K in keyof T]?: string };
}

function Hits({ result, filtered }: { readonly result: RetrieveResult; readonly filtered: boolean }) {
  const { t } = useTranslation();
  const { ms } = useFormat();
  const times = [
    ["embed", result.ms.embed],
    ["lexical", result.ms.lexical],
    ["dense", result.ms.dense],
    ["fuse", result.ms.fuse],
  ] as const;
  return (
    <>
      <p className="row wrap small soft num" role="status">
        <strong>{t("retrieval.found", { count: result.hits.length })}</strong>
        <span>{t("retrieval.total", { time: ms(result.ms.total) })}</span>
        <span className="muted">
          {times
            .filter(([, value]) => value > 0)
            .map(([name, value]) => `${t(`retrieval.ms.${name}`)} ${ms(value)}`)
            .join(" · ")}
        </span>
      </p>
      {result.mode === "words" ? <Notice icon={InfoIcon}>{result.note ?? t("retrieval.modeWords")}</Notice> : null}
      {result.hits.length === 0 ? (
        <Empty icon={SearchIcon} title={t("retrieval.noneTitle")}>
          {filtered ? t("retrieval.noneFiltered") : t("retrieval.noneHint")}
        </Empty>
      ) : null}
      <ol className="hits">
        {result.hits.map((hit, index) => (
          <Hit key={hit.chunkId} hit={hit} rank={index + 1} />
        ))}
      </ol>
    </>
  );
}

function Hit({ hit, rank }: { readonly hit: RetrieveHit; readonly rank: number }) {
  const { t } = useTranslation();
  const { number } = useFormat();
  const place = (value: number | null): string => (value === null ? "–" : number(value));
  return (
    <li className="card hit">
      <dl className="ranks">
        <div className="rank-main">
          <dt>{t("retrieval.fused")}</dt>
          <dd>{rank}</dd>
        </div>
        <div>
          <dt>{t("retrieval.byWords")}</dt>
          <dd>{place(hit.ranks.lexical)}</dd>
        </div>
        <div>
          <dt>{t("retrieval.byMeaning")}</dt>
          <dd>{place(hit.ranks.dense)}</dd>
        </div>
        {hit.ranks.rerank === null ? null : (
          <div>
            <dt>{t("retrieval.byRerank")}</dt>
            <dd>{place(hit.ranks.rerank)}</dd>
          </div>
        )}
      </dl>
      <div className="grow">
        <p className="row small hit-place">
          <Link
            to="/documents/$documentId"
            params={{ documentId: hit.documentId }}
            search={{ start: hit.start, end: hit.end, version: hit.versionId }}
            className="clip"
          >
            <strong>{hit.title}</strong>
          </Link>
          {hit.label === null ? null : <span className="nowrap">{hit.label}</span>}
          {hit.page === null ? null : <span className="muted nowrap">{t("source.page", { page: hit.page })}</span>}
          <EditionTag edition={hit.edition} />
          <span className="muted tiny num end nowrap" title={t("retrieval.scoreHint")}>
            {t("retrieval.score")} {number(hit.score, { maximumFractionDigits: 3 })}
            {hit.cosine === null ? "" : ` · cos ${number(hit.cosine, { maximumFractionDigits: 3 })}`}
          </span>
        </p>
        {hit.context.length > 1 ? <p className="muted tiny clip">{hit.context.slice(1).join(" › ")}</p> : null}
        <p className="hit-text">{hit.text}</p>
      </div>
    </li>
  );
}
