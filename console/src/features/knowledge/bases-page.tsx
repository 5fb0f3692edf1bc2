/** @file All knowledge bases with how fresh and complete they are; a new one; the sample statutes. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { KnowledgeBaseInfo } from "#contracts";
import { client } from "../../api/client.ts";
import { basesQuery, isAdministrator, isBaseBusy, sessionQuery, useAction } from "../../api/queries.ts";
import { Badge, Button, Empty, Progress } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { BaseIcon, BusyIcon, FailedIcon, KnowledgeIcon, OkIcon, PlusIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { ArrivingNotice } from "../box/arriving-notice.tsx";
import { DueReviews } from "./due-reviews.tsx";

export function BasesPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const bases = useQuery(basesQuery());
  const [creating, setCreating] = useState(false);
  const { data: session } = useQuery(sessionQuery());
  const creates = isAdministrator(session) || session?.actor?.role === "knowledge-owner";
  const samples = useAction(client.knowledge.addSamples, [["bases"]]);
  const addSamples = () => samples.mutate(undefined, { onSuccess: (base) => void navigate({ to: "/knowledge/$kbId", params: { kbId: base.id } }) });
  const list = bases.data ?? [];
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t("place.knowledge")}</h1>
        {list.length > 0 && creates ? (
          <Button look="primary" className="end" icon={PlusIcon} onClick={() => setCreating(true)}>
            {t("kb.new")}
          </Button>
        ) : null}
      </header>
      <div className="page-body">
        <ArrivingNotice />
        <DueReviews />
        <QueryState query={bases} />
        {samples.isError ? <ErrorCard error={samples.error} onRetry={addSamples} /> : null}
        {bases.isSuccess && list.length === 0 ? (
          <Empty
            icon={KnowledgeIcon}
            title={t("kb.emptyTitle")}
            actions={
              !creates ? undefined : (
                <>
                  <Button look="primary" icon={PlusIcon} onClick={() => setCreating(true)}>
                    {t("kb.new")}
                  </Button>
                  <Button icon={BaseIcon} busy={samples.isPending} onClick={addSamples}>
                    {t("samples.use")}
                  </Button>
                </>
              )
            }
          >
            {t(creates ? "kb.emptyHint" : "kb.emptyReader")}
          </Empty>
        ) : null}
        <ul className="base-grid">
          {list.map((base) => (
            <BaseCard key={base.id} base={base} />
          ))}
        </ul>
      </div>
      {creating ? <NewBaseDialog onClose={() => setCreating(false)} /> : null}
    </div>
  );
}

export function BaseState({ base }: { readonly base: KnowledgeBaseInfo }) {
  const { t } = useTranslation();
  const { eta } = useFormat();
  if (base.pending > 0)
    return (
      <Badge tone="accent" icon={BusyIcon} spin>
        {t("kb.reading", { count: base.pending })} · {eta(base.etaSeconds)}
      </Badge>
    );
  if (base.embedded < base.chunks)
    return (
      <Badge tone="accent" icon={BusyIcon} spin>
        {t("kb.embedding", { percent: Math.floor((100 * base.embedded) / base.chunks) })} · {eta(base.etaSeconds)}
      </Badge>
    );
  if (base.documents === 0) return <Badge>{t("kb.noDocuments")}</Badge>;
  return (
    <Badge tone="ok" icon={OkIcon}>
      {t("kb.complete")}
    </Badge>
  );
}

function BaseCard({ base }: { readonly base: KnowledgeBaseInfo }) {
  const { t } = useTranslation();
  const { number, bytes, ago } = useFormat();
  return (
    <li className="card base-card">
      <Link to="/knowledge/$kbId" params={{ kbId: base.id }} className="cover" aria-label={base.name} />
      <h2 className="row">
        <BaseIcon size={16} aria-hidden />
        <span className="clip">{base.name}</span>
      </h2>
      {base.description === "" ? null : <p className="soft small clip-2">{base.description}</p>}
      <p className="muted small num">
        {t("kb.documents", { count: base.documents })} · {t("kb.chunks", { count: base.chunks, value: number(base.chunks) })} ·{" "}
        {bytes(base.sizeBytes)}
      </p>
      {isBaseBusy(base) && base.chunks > 0 ? <Progress label={t("kb.progress", { name: base.name })} value={base.embedded / base.chunks} /> : null}
      <p className="row wrap base-foot">
        <BaseState base={base} />
        {base.failed > 0 ? (
          <Badge tone="bad" icon={FailedIcon}>
            {t("kb.failed", { count: base.failed })}
          </Badge>
        ) : null}
        <span className="muted tiny end">{ago(base.updatedAt)}</span>
      </p>
    </li>
  );
}

function NewBaseDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const create = useAction(client.knowledge.createBase, [["bases"]]);
  return (
    <Dialog title={t("kb.new")} onClose={onClose}>
      <DialogForm
        action={create}
        deed={t("common.create")}
        onClose={onClose}
        onSubmit={(form) => {
          create.mutate(
            {
              name: String(form.get("name")).trim(),
              description: String(form.get("description")).trim(),
              ...(form.get("everyone") === null ? {} : { readers: "everyone" as const }),
            },
            { onSuccess: (base) => (onClose(), void navigate({ to: "/knowledge/$kbId", params: { kbId: base.id } })) },
          );
        }}
      >
        <div className="field">
          <label htmlFor="kb-name">{t("kb.name")}</label>
          <input id="kb-name" name="name" className="input" required maxLength={100} autoFocus placeholder={t("kb.nameExample")} />
        </div>
        <div className="field">
          <label htmlFor="kb-description">{t("kb.description")}</label>
          <textarea id="kb-description" name="description" className="input" rows={2} maxLength={2000} />
        </div>
        <label className="row">
          <input type="checkbox" name="everyone" />
          <span>{t("kb.everyone")}</span>
        </label>
        <p className="muted small">{t("kb.everyoneHint")}</p>
      </DialogForm>
    </Dialog>
  );
}
