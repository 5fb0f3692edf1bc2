/** @file The models a box has and could have: pull with progress, import from disk, verify, remove. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { ModelInfo, ModelKind } from "#contracts";
import { client } from "../../api/client.ts";
import { modelsQuery, sessionQuery, useAction } from "../../api/queries.ts";
import { Badge, Button, Progress } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { ErrorCard, useErrorWords } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { BusyIcon, CancelIcon, CheckIcon, DownloadIcon, FailedIcon, FolderIcon, MoreIcon, OkIcon, RemoveIcon, WaitingIcon } from "../../ui/icons.ts";
import { Menu } from "../../ui/menu.tsx";
import { QueryState } from "../../ui/query-state.tsx";
import { useRemoval } from "../../ui/remove-button.tsx";
import { showToast } from "../../ui/toasts.tsx";
import { useRemoving } from "../../ui/undo.ts";

const kinds = ["language", "embedding", "reranker"] as const satisfies readonly ModelKind[];

export function ModelsTab() {
  const { t } = useTranslation();
  const models = useQuery(modelsQuery());
  const { data: session } = useQuery(sessionQuery());
  const manages = session?.actor?.role !== "member";
  const [importing, setImporting] = useState(false);
  return (
    <div className="page-body">
      <div className="row toolbar">
        <p className="muted small">{t("models.hint")}</p>
        {manages ? (
          <Button className="end" icon={FolderIcon} onClick={() => setImporting(true)}>
            {t("models.import")}
          </Button>
        ) : null}
      </div>
      <QueryState query={models} />
      {kinds.map((kind) => {
        const list = models.data?.filter((model) => model.kind === kind) ?? [];
        return list.length === 0 ? null : (
          <section key={kind} className="col" style={{ gap: 8 }}>
            <h2 className="label">{t(`models.${kind}`)}</h2>
            <ul className="card lines">
              {list.map((model) => (
                <ModelRow key={model.id} model={model} manages={manages} />
              ))}
            </ul>
          </section>
        );
      })}
      {importing ? <ImportDialog onClose={() => setImporting(false)} /> : null}
    </div>
  );
}

function ModelState({ model }: { readonly model: ModelInfo }) {
  const { t } = useTranslation();
  switch (model.state) {
    case "available":
      return <Badge icon={WaitingIcon}>{t("models.available")}</Badge>;
    case "pulling":
      return (
        <Badge tone="accent" icon={BusyIcon} spin>
          {t("models.pulling")}
        </Badge>
      );
    case "ready":
      return (
        <Badge tone="ok" icon={CheckIcon}>
          {t("models.ready")}
        </Badge>
      );
    case "loaded":
      return (
        <Badge tone="ok" icon={OkIcon}>
          {t("models.loaded")}
        </Badge>
      );
    case "failed":
      return (
        <Badge tone="bad" icon={FailedIcon}>
          {t("models.failed")}
        </Badge>
      );
  }
}

function ModelRow({ model, manages }: { readonly model: ModelInfo; readonly manages: boolean }) {
  const { t } = useTranslation();
  const { bytes, number, eta } = useFormat();
  const removing = useRemoving().has(model.id);
  const pull = useAction(() => client.models.pull(model.id), [["models"], ["ready"]]);
  const cancel = useAction(() => client.models.cancelPull(model.id), [["models"]]);
  const facts = [
    model.sizeBytes === null ? null : bytes(model.sizeBytes),
    model.quantisation,
    model.contextTokens === null ? null : t("models.context", { value: number(model.contextTokens) }),
    model.memoryBytes === null ? null : t("models.memory", { size: bytes(model.memoryBytes) }),
    model.languages.join(", ") || null,
    model.licence,
  ].filter((fact) => fact !== null && fact !== "");
  if (removing) return null;
  return (
    <li className="model">
      <div className="row wrap">
        <strong className="clip">{model.id}</strong>
        {model.isDefault ? <span className="tag accent">{t("models.default")}</span> : null}
        <ModelState model={model} />
        <span className="row end">
          {manages && (model.state === "available" || model.state === "failed") ? (
            <Button
              small
              icon={DownloadIcon}
              busy={pull.isPending}
              aria-label={`${t("models.pull")} ${model.id}`}
              onClick={() => pull.mutate(undefined)}
            >
              {t("models.pull")}
            </Button>
          ) : null}
          {manages && model.state === "pulling" ? (
            <Button small look="quiet" icon={CancelIcon} busy={cancel.isPending} onClick={() => cancel.mutate(undefined)}>
              {t("common.cancel")}
            </Button>
          ) : null}
          {manages && (model.state === "ready" || model.state === "loaded") ? <ModelMenu model={model} /> : null}
        </span>
      </div>
      <p className="muted tiny">{facts.join(" · ")}</p>
      {model.progress === undefined || model.state !== "pulling" ? null : (
        <div className="col" style={{ gap: 4 }}>
          <Progress
            label={t("models.pulling")}
            value={model.progress.totalBytes === null ? null : model.progress.receivedBytes / model.progress.totalBytes}
          />
          <p className="muted tiny num">
            {bytes(model.progress.receivedBytes)}
            {model.progress.totalBytes === null ? "" : ` / ${bytes(model.progress.totalBytes)}`} ·{" "}
            {t("models.perSecond", { size: bytes(model.progress.bytesPerSecond) })} · {eta(model.progress.etaSeconds)} · {model.progress.source}
          </p>
        </div>
      )}
      {model.error === undefined ? null : <ErrorCard error={model.error} onRetry={manages ? () => pull.mutate(undefined) : undefined} />}
      {pull.isError ? <ErrorCard error={pull.error} /> : null}
    </li>
  );
}

function ModelMenu({ model }: { readonly model: ModelInfo }) {
  const { t } = useTranslation();
  const words = useErrorWords();
  const verify = useAction(() => client.models.verify(model.id), [["models"]]);
  const removal = useRemoval();
  const remove = useAction(() => client.models.remove(model.id), [["models"], ["ready"]]);
  const onVerify = () =>
    verify.mutate(undefined, {
      onSuccess: (result) => void showToast(t(result.ok ? "models.verified" : "models.damaged", { id: model.id })),
      onError: (error) => void showToast(words(error).message),
    });
  return (
    <Menu label={t("models.more", { id: model.id })} icon={MoreIcon}>
      {(close) => (
        <>
          <button type="button" onClick={() => (close(), onVerify())}>
            <CheckIcon size={15} aria-hidden />
            {t("models.verify")}
          </button>
          <button
            type="button"
            className="danger"
            onClick={() => (close(), removal({ id: model.id, removed: t("models.removed", { id: model.id }), action: remove }))}
          >
            <RemoveIcon size={15} aria-hidden />
            {t("common.remove")}
          </button>
        </>
      )}
    </Menu>
  );
}

function ImportDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const run = useAction(client.models.import, [["models"]]);
  return (
    <Dialog title={t("models.import")} onClose={onClose}>
      <DialogForm
        action={run}
        deed={t("models.importGo")}
        onClose={onClose}
        onSubmit={(form) => {
          const id = String(form.get("id")).trim();
          run.mutate({ path: String(form.get("path")).trim(), ...(id === "" ? {} : { id }) }, { onSuccess: onClose });
        }}
      >
        <p className="soft small">{t("models.importHint")}</p>
        <div className="field">
          <label htmlFor="import-path">{t("models.importPath")}</label>
          <input id="import-path" name="path" className="input mono" required autoFocus placeholder="/media/usb/model.gguf" />
        </div>
        <div className="field">
          <label htmlFor="import-id">{t("models.importId")}</label>
          <input id="import-id" name="id" className="input" />
        </div>
      </DialogForm>
    </Dialog>
  );
}
