/** @file Permissions: of one base at a time, every list it has, base first, then folders and files. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { AccessList, KnowledgeBaseInfo } from "#contracts";
import { client } from "../../api/client.ts";
import { accessQuery, basesQuery, useAction } from "../../api/queries.ts";
import { Button, Empty, IconButton, Switch } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { BaseIcon, EditIcon, FolderIcon, LockIcon, PlusIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { ShareDialog, words } from "../share/share-dialog.tsx";

export function PermissionsTab() {
  const { t } = useTranslation();
  const bases = useQuery(basesQuery());
  const [chosen, setChosen] = useState("");
  const managed = bases.data?.filter((base) => base.level === "manage") ?? [];
  const base = managed.find((item) => item.id === chosen) ?? managed[0];
  return (
    <div className="page-body">
      <QueryState query={bases} rows={3} />
      {bases.isSuccess && base === undefined ? (
        <Empty icon={LockIcon} title={t("permissions.none")}>
          {t("permissions.noneHint")}
        </Empty>
      ) : null}
      {base === undefined ? null : (
        <>
          <div className="row toolbar wrap">
            <label htmlFor="permissions-base" className="label">
              {t("kb.bases")}
            </label>
            <select id="permissions-base" className="input filter" value={base.id} onChange={(event) => setChosen(event.target.value)}>
              {managed.map((item) => (
                <option key={item.id} value={item.id}>
                  {item.name}
                </option>
              ))}
            </select>
          </div>
          <p className="muted small">{t("permissions.hint")}</p>
          <Lists key={base.id} base={base} />
        </>
      )}
    </div>
  );
}

function Lists({ base }: { readonly base: KnowledgeBaseInfo }) {
  const { t } = useTranslation();
  const lists = useQuery(accessQuery(base.id));
  const [path, setPath] = useState<string | null>(null);
  const [adding, setAdding] = useState("");
  const approval = useAction((on: boolean) => client.knowledge.updateBase(base.id, { approval: on }), [["bases"], ["documents"]]);
  return (
    <section className="col" style={{ gap: 12 }}>
      <QueryState query={lists} rows={3} />
      {lists.data === undefined ? null : (
        <ul className="card lines" aria-label={t("permissions.lists")}>
          {lists.data.map((list) => (
            <ListRow key={list.path} list={list} base={base.name} onEdit={() => setPath(list.path)} />
          ))}
        </ul>
      )}
      <form
        className="row wrap"
        style={{ gap: 8 }}
        onSubmit={(event) => {
          event.preventDefault();
          if (adding.trim() !== "") setPath(adding.trim().replace(/^\/+|\/+$/g, ""));
        }}
      >
        <input
          className="input grow"
          aria-label={t("permissions.path")}
          placeholder={t("permissions.pathExample")}
          value={adding}
          onChange={(event) => setAdding(event.target.value)}
          maxLength={1000}
        />
        <Button type="submit" icon={PlusIcon} disabled={adding.trim() === ""}>
          {t("permissions.narrow")}
        </Button>
      </form>
      <div className="card section">
        <Switch checked={base.approval} onChange={(on) => approval.mutate(on)}>
          {t("permissions.approval")}
        </Switch>
        <p className="muted small">{t("permissions.approvalHint")}</p>
        {approval.isError ? <ErrorCard error={approval.error} /> : null}
      </div>
      {path === null ? null : <ShareDialog kbId={base.id} base={base.name} path={path} onClose={() => (setPath(null), setAdding(""))} />}
    </section>
  );
}

function ListRow({ list, base, onEdit }: { readonly list: AccessList; readonly base: string; readonly onEdit: () => void }) {
  const { t } = useTranslation();
  const Mark = list.path === "" ? BaseIcon : FolderIcon;
  const name = list.path === "" ? base : list.path;
  return (
    <li className="model row">
      <Mark size={15} aria-hidden />
      <span className="col grow" style={{ minWidth: 0 }}>
        <strong className="clip">{name}</strong>
        <span className="muted small">
          {list.entries.length === 0 ? t("share.managersOnly") : list.entries.map((entry) => words(entry, t)).join(" · ")}
        </span>
      </span>
      <IconButton label={t("share.title", { name })} icon={EditIcon} onClick={onEdit} />
    </li>
  );
}
