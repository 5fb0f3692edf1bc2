/** @file Chat pages for people who do not sign in: a link, the sites that may frame it, the bases it asks. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { PageInfo, PageInput } from "#contracts";
import { client } from "../../api/client.ts";
import { basesQuery, pagesQuery, useAction } from "../../api/queries.ts";
import { Badge, Button, CopyButton, Empty, IconButton } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { EditIcon, FrameIcon, LinkIcon, PlusIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { RemoveButton } from "../../ui/remove-button.tsx";
import { useRemoving } from "../../ui/undo.ts";

export function PagesTab() {
  const { t } = useTranslation();
  const pages = useQuery(pagesQuery());
  const removing = useRemoving();
  const [editing, setEditing] = useState<PageInfo | "new" | null>(null);
  const shown = pages.data?.filter((page) => !removing.has(page.id)) ?? [];
  return (
    <div className="page-body">
      <div className="row">
        <p className="muted small grow">{t("pages.hint")}</p>
        <Button small icon={PlusIcon} onClick={() => setEditing("new")}>
          {t("pages.add")}
        </Button>
      </div>
      <QueryState query={pages} rows={2} />
      {pages.isSuccess && shown.length === 0 ? <Empty icon={LinkIcon} title={t("pages.none")} /> : null}
      {shown.length > 0 ? (
        <ul className="card lines" aria-label={t("box.pages")}>
          {shown.map((page) => (
            <PageRow key={page.id} page={page} onEdit={() => setEditing(page)} />
          ))}
        </ul>
      ) : null}
      {editing === null ? null : <PageDialog page={editing === "new" ? null : editing} onClose={() => setEditing(null)} />}
    </div>
  );
}

/** For somebody else's page: the name must not end the attribute. */
const frameOf = (address: string, name: string): string =>
  `<iframe src="${address}" title="${name.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;")}" width="420" height="640"></iframe>`;

function PageRow({ page, onEdit }: { readonly page: PageInfo; readonly onEdit: () => void }) {
  const { t } = useTranslation();
  const remove = useAction(() => client.pages.remove(page.id), [["pages"]]);
  const address = `${location.origin}/p/${page.id}`;
  return (
    <li className="model row wrap">
      <strong className="clip">{page.name}</strong>
      <Badge tone={page.enabled ? "ok" : "plain"}>{t(page.enabled ? "pages.on" : "pages.off")}</Badge>
      <a className="mono small clip" href={address} target="_blank" rel="noreferrer">
        {address}
      </a>
      <span className="muted tiny clip">{page.origins.length === 0 ? t("pages.linkOnly") : page.origins.join(" ")}</span>
      <span className="row end">
        <CopyButton text={address} label={t("pages.copyLink")} />
        <CopyButton text={frameOf(address, page.name)} label={t("pages.copyFrame")} icon={FrameIcon} />
        <IconButton label={t("pages.edit", { name: page.name })} icon={EditIcon} onClick={onEdit} />
        <RemoveButton id={page.id} label={t("pages.remove", { name: page.name })} removed={t("pages.removed", { name: page.name })} action={remove} />
      </span>
    </li>
  );
}

function PageDialog({ page, onClose }: { readonly page: PageInfo | null; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const bases = useQuery(basesQuery());
  const save = useAction(
    async (input: PageInput) => (page === null ? await client.pages.create(input) : await client.pages.update(page.id, input)),
    [["pages"]],
  );
  return (
    <Dialog title={page === null ? t("pages.add") : t("pages.edit", { name: page.name })} onClose={onClose}>
      <DialogForm
        action={save}
        onClose={onClose}
        onSubmit={(form) => {
          save.mutate(
            {
              name: String(form.get("name") ?? "").trim(),
              greeting: String(form.get("greeting") ?? ""),
              kbIds: form.getAll("kb").map(String),
              origins: String(form.get("origins") ?? "")
                .split(/\s+/)
                .filter((origin) => origin !== ""),
              enabled: form.get("enabled") === "on",
            },
            { onSuccess: onClose },
          );
        }}
      >
        <div className="field">
          <label htmlFor="page-name">{t("pages.name")}</label>
          <input id="page-name" name="name" className="input" required maxLength={100} defaultValue={page?.name ?? ""} autoFocus autoComplete="off" />
        </div>
        <div className="field">
          <label htmlFor="page-greeting">{t("pages.greeting")}</label>
          <textarea id="page-greeting" name="greeting" className="input" rows={2} maxLength={2000} defaultValue={page?.greeting ?? ""} />
        </div>
        <fieldset className="field checks-list">
          <legend>{t("pages.bases")}</legend>
          {bases.data?.map((base) => (
            <label key={base.id} className="row">
              <input type="checkbox" name="kb" value={base.id} defaultChecked={page?.kbIds.includes(base.id) === true} />
              <span className="clip">{base.name}</span>
            </label>
          ))}
          <span className="hint">{t("pages.basesHint")}</span>
        </fieldset>
        <div className="field">
          <label htmlFor="page-origins">{t("pages.origins")}</label>
          <textarea
            id="page-origins"
            name="origins"
            className="input mono"
            rows={2}
            placeholder="https://intranet.example"
            defaultValue={page?.origins.join("\n") ?? ""}
          />
          <span className="hint">{t("pages.originsHint")}</span>
        </div>
        <label className="row">
          <input type="checkbox" name="enabled" defaultChecked={page?.enabled ?? true} /> {t("pages.enabled")}
        </label>
      </DialogForm>
    </Dialog>
  );
}
