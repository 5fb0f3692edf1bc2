/** @file Knowledge gaps: what was asked and not answered, grouped; answer it here, or mark it closed. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { KnowledgeGap } from "#contracts";
import { client } from "../../api/client.ts";
import { gapsQuery, useAction } from "../../api/queries.ts";
import { Button, Empty } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { CheckIcon, EditIcon, GapIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { useBase } from "./base-layout.tsx";
import { CuratedDialog } from "./curated-tab.tsx";

export function GapsTab() {
  const { t } = useTranslation();
  const base = useBase();
  const gaps = useQuery(gapsQuery(base.id));
  return (
    <div className="page-body">
      <QueryState query={gaps} />
      {gaps.isSuccess && gaps.data.length === 0 ? (
        <Empty icon={GapIcon} title={t("gaps.emptyTitle")}>
          {t("gaps.emptyHint")}
        </Empty>
      ) : null}
      {gaps.data && gaps.data.length > 0 ? <p className="muted small">{t("gaps.hint")}</p> : null}
      <ul className="col" style={{ gap: 8 }}>
        {gaps.data?.map((gap) => (
          <GapCard key={gap.id} gap={gap} />
        ))}
      </ul>
    </div>
  );
}

function GapCard({ gap }: { readonly gap: KnowledgeGap }) {
  const { t } = useTranslation();
  const { ago } = useFormat();
  const [answering, setAnswering] = useState(false);
  const resolve = useAction(() => client.knowledge.resolveGap(gap.id), [["gaps", gap.kbId]]);
  return (
    <li className="card qa">
      <div className="row wrap">
        <strong className="grow">{gap.question}</strong>
        <Button small icon={EditIcon} onClick={() => setAnswering(true)}>
          {t("gaps.answer")}
        </Button>
        <Button small look="quiet" icon={CheckIcon} busy={resolve.isPending} onClick={() => resolve.mutate(undefined)}>
          {t("gaps.resolve")}
        </Button>
      </div>
      <p className="muted tiny">
        {t("gaps.asked", { count: gap.count })} · {ago(gap.lastAskedAt)}
      </p>
      {gap.variants.length > 1 ? (
        <p className="soft small">
          {t("gaps.variants")}{" "}
          {gap.variants
            .filter((item) => item !== gap.question)
            .slice(0, 4)
            .map((item) => t("gaps.quote", { text: item }))
            .join(" ")}
        </p>
      ) : null}
      {gap.nearest.length > 0 ? (
        <details className="small">
          <summary className="muted">{t("refusal.nearest")}</summary>
          <ul className="col" style={{ gap: 6, paddingTop: 6 }}>
            {gap.nearest.map((hit, index) => (
              <li key={index}>
                <Link to="/documents/$documentId" params={{ documentId: hit.documentId }} search={{}}>
                  {hit.document}
                </Link>
                <span className="soft clip-2">{hit.text}</span>
              </li>
            ))}
          </ul>
        </details>
      ) : null}
      {resolve.isError ? <ErrorCard error={resolve.error} /> : null}
      {answering ? (
        <CuratedDialog
          kbId={gap.kbId}
          answer={null}
          question={gap.question}
          onClose={() => setAnswering(false)}
          onSaved={() => resolve.mutate(undefined)}
        />
      ) : null}
    </li>
  );
}
