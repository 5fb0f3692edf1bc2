/** @file One knowledge base: its name, state, tabs; rename and remove. */
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { KnowledgeBaseInfo } from "#contracts";
import { client } from "../../api/client.ts";
import { basesQuery, gapsQuery, modelsQuery, useAction } from "../../api/queries.ts";
import { Button, Empty, Skeletons } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { EditIcon, KnowledgeIcon, MoreIcon, RemoveIcon, ShareIcon } from "../../ui/icons.ts";
import { Menu } from "../../ui/menu.tsx";
import { ShareDialog } from "../share/share-dialog.tsx";
import { BaseState } from "./bases-page.tsx";

/** The base of this address; the layout has made sure that it is there. */
export function useBase(): KnowledgeBaseInfo {
  const kbId = useParams({ strict: false }).kbId ?? "";
  const { data } = useQuery(basesQuery());
  const base = data?.find((item) => item.id === kbId);
  if (base === undefined) throw new Error(`No knowledge base ${kbId} in this address.`);
  return base;
}

export function BaseLayout() {
  const { t } = useTranslation();
  const kbId = useParams({ strict: false }).kbId ?? "";
  const bases = useQuery(basesQuery());
  const [sharing, setSharing] = useState(false);
  const base = bases.data?.find((item) => item.id === kbId);
  if (bases.isPending) return <Skeletons label={t("common.loading")} />;
  if (bases.isError)
    return (
      <div className="page-body">
        <ErrorCard error={bases.error} onRetry={() => void bases.refetch()} />
      </div>
    );
  if (base === undefined)
    return (
      <div className="page-center">
        <Empty
          icon={KnowledgeIcon}
          title={t("kb.gone")}
          actions={
            <Link className="button" to="/knowledge">
              {t("kb.all")}
            </Link>
          }
        >
          {t("kb.goneHint")}
        </Empty>
      </div>
    );
  return (
    <div className="page">
      <header className="page-head">
        <nav aria-label={t("common.path")} className="row crumbs">
          <Link to="/knowledge">{t("place.knowledge")}</Link>
          <span className="muted">/</span>
        </nav>
        <h1 className="clip">{base.name}</h1>
        <span className="base-state">
          <BaseState base={base} />
        </span>
        {base.level === "manage" ? (
          <>
            <Button small icon={ShareIcon} onClick={() => setSharing(true)}>
              {t("share.go")}
            </Button>
            <BaseMenu base={base} />
          </>
        ) : null}
        {sharing ? <ShareDialog kbId={base.id} base={base.name} path="" onClose={() => setSharing(false)} /> : null}
      </header>
      <BaseTabs base={base} />
      <Outlet />
    </div>
  );
}

function BaseTabs({ base }: { readonly base: KnowledgeBaseInfo }) {
  const { t } = useTranslation();
  const writes = base.level !== "read";
  const { data: gaps = [] } = useQuery({ ...gapsQuery(base.id), enabled: writes });
  const tab = (
    to: "/knowledge/$kbId" | "/knowledge/$kbId/search" | "/knowledge/$kbId/answers" | "/knowledge/$kbId/dictionary" | "/knowledge/$kbId/gaps",
    text: ReactNode,
    count?: number,
  ) => (
    <Link to={to} params={{ kbId: base.id }} activeOptions={{ exact: true, includeSearch: false }}>
      {text}
      {count === undefined || count === 0 ? null : <span className="count">{count}</span>}
    </Link>
  );
  return (
    <nav className="tabs" aria-label={base.name}>
      {tab("/knowledge/$kbId", t("kb.tabDocuments"), base.documents)}
      {tab("/knowledge/$kbId/search", t("kb.tabSearch"))}
      {writes ? tab("/knowledge/$kbId/gaps", t("kb.tabGaps"), gaps.length) : null}
      {tab("/knowledge/$kbId/answers", t("kb.tabAnswers"))}
      {writes ? tab("/knowledge/$kbId/dictionary", t("kb.tabDictionary")) : null}
    </nav>
  );
}

function BaseMenu({ base }: { readonly base: KnowledgeBaseInfo }) {
  const { t } = useTranslation();
  const [dialog, setDialog] = useState<"edit" | "remove" | null>(null);
  return (
    <>
      <Menu label={t("kb.more", { name: base.name })} icon={MoreIcon}>
        {(close) => (
          <>
            <button type="button" onClick={() => (close(), setDialog("edit"))}>
              <EditIcon size={15} aria-hidden />
              {t("kb.edit")}
            </button>
            <button type="button" className="danger" onClick={() => (close(), setDialog("remove"))}>
              <RemoveIcon size={15} aria-hidden />
              {t("kb.remove")}
            </button>
          </>
        )}
      </Menu>
      {dialog === "edit" ? <EditDialog base={base} onClose={() => setDialog(null)} /> : null}
      {dialog === "remove" ? <RemoveDialog base={base} onClose={() => setDialog(null)} /> : null}
    </>
  );
}

function EditDialog({ base, onClose }: { readonly base: KnowledgeBaseInfo; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const { data: models = [] } = useQuery(modelsQuery());
  const embedders = models.filter(
    (model) => model.kind === "embedding" && (model.state === "ready" || model.state === "loaded" || model.id === base.embedder),
  );
  const save = useAction((json: { name: string; description: string; embedder?: string }) => client.knowledge.updateBase(base.id, json), [["bases"]]);
  return (
    <Dialog title={t("kb.edit")} onClose={onClose}>
      <DialogForm
        action={save}
        onClose={onClose}
        onSubmit={(form) => {
          const embedder = String(form.get("embedder") ?? "");
          const change = embedder === "" || embedder === base.embedder ? {} : { embedder };
          save.mutate(
            { name: String(form.get("name")).trim(), description: String(form.get("description")).trim(), ...change },
            { onSuccess: onClose },
          );
        }}
      >
        <div className="field">
          <label htmlFor="edit-name">{t("kb.name")}</label>
          <input id="edit-name" name="name" className="input" required maxLength={100} defaultValue={base.name} autoFocus />
        </div>
        <div className="field">
          <label htmlFor="edit-description">{t("kb.description")}</label>
          <textarea id="edit-description" name="description" className="input" rows={3} maxLength={2000} defaultValue={base.description} />
        </div>
        {embedders.length === 0 ? null : (
          <div className="field">
            <label htmlFor="edit-embedder">{t("kb.embedder")}</label>
            <select id="edit-embedder" name="embedder" className="input" defaultValue={base.embedder ?? ""}>
              {base.embedder === null ? <option value="">–</option> : null}
              {embedders.map((model) => (
                <option key={model.id} value={model.id}>
                  {model.id}
                </option>
              ))}
            </select>
            <span className="hint">{t("kb.embedderHint")}</span>
          </div>
        )}
      </DialogForm>
    </Dialog>
  );
}

/** Cannot be undone, so the name is typed. */
function RemoveDialog({ base, onClose }: { readonly base: KnowledgeBaseInfo; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [typed, setTyped] = useState("");
  const remove = useAction(() => client.knowledge.removeBase(base.id), [["bases"]]);
  const go = () => remove.mutate(undefined, { onSuccess: () => (onClose(), void navigate({ to: "/knowledge" })) });
  return (
    <Dialog title={t("kb.remove")} onClose={onClose}>
      <form className="col" style={{ gap: 14 }} onSubmit={(event) => (event.preventDefault(), typed === base.name && go())}>
        <p className="soft">{t("kb.removeHint", { count: base.documents })}</p>
        <div className="field">
          <label htmlFor="remove-name">{t("kb.removeType", { name: base.name })}</label>
          <input id="remove-name" className="input" value={typed} autoFocus autoComplete="off" onChange={(event) => setTyped(event.target.value)} />
        </div>
        {remove.isError ? <ErrorCard error={remove.error} /> : null}
        <div className="actions">
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="danger" type="submit" disabled={typed !== base.name} busy={remove.isPending}>
            {t("kb.removeGo")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
