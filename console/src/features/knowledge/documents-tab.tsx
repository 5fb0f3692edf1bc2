/** @file The documents of a base: drop a folder, follow its reading, find a file, mend what failed. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type DragEvent, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DocumentInfo } from "#contracts";
import { documentsQuery, readyQuery } from "../../api/queries.ts";
import { Button, Empty } from "../../ui/basics.tsx";
import { DocumentIcon, FolderIcon, SearchIcon, UploadIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { useRemoving } from "../../ui/undo.ts";
import { ArrivingNotice } from "../box/arriving-notice.tsx";
import { ShareDialog } from "../share/share-dialog.tsx";
import { useBase } from "./base-layout.tsx";
import { DocumentTable } from "./document-table.tsx";
import { droppedFiles, pickedFiles } from "./drop.ts";
import { UploadPanel } from "./upload-panel.tsx";
import { addUploads, type PickedFile } from "./upload-queue.ts";

const states = ["", "failed", "needs-ocr", "reading", "ready", "unapproved"] as const;

export function DocumentsTab() {
  const { t } = useTranslation();
  const base = useBase();
  const navigate = useNavigate();
  const { state = "", search = "" } = useSearch({ from: "/shell/knowledge/$kbId/" });
  const [typed, setTyped] = useState(search);
  const wanted = useDeferredValue(typed.trim());
  const documents = useInfiniteQuery(documentsQuery(base.id, { ...(state === "" ? {} : { state }), ...(wanted === "" ? {} : { search: wanted }) }));
  const removing = useRemoving();
  const rows = useMemo(
    () => documents.data?.pages.flatMap((page) => page.items).filter((item) => !removing.has(item.id)) ?? [],
    [documents.data, removing],
  );
  const [dragging, setDragging] = useState(false);
  const [sharing, setSharing] = useState<DocumentInfo | null>(null);
  const { data: ready } = useQuery(readyQuery());

  const filter = (nextState: string, nextSearch: string) =>
    void navigate({
      to: ".",
      search: { ...(nextState === "" ? {} : { state: nextState }), ...(nextSearch === "" ? {} : { search: nextSearch }) },
      replace: true,
    });
  useEffect(() => {
    if (wanted !== search) filter(state, wanted);
  }, [wanted]);

  const writes = base.level !== "read";
  const add = (files: readonly PickedFile[]) => writes && files.length > 0 && addUploads(base.id, files);
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setDragging(false);
    void droppedFiles(event.dataTransfer).then(add);
  };
  const filtered = state !== "" || wanted !== "";
  const nothing = documents.isSuccess && rows.length === 0;
  return (
    <div
      className="page-body drop"
      data-dragging={dragging || undefined}
      onDragOver={(event) => (event.preventDefault(), setDragging(writes))}
      onDragLeave={(event) => event.currentTarget.contains(event.relatedTarget as Node | null) || setDragging(false)}
      onDrop={onDrop}
    >
      {ready?.ready === false ? <ArrivingNotice /> : null}
      <div className="row wrap toolbar">
        <div className="search grow">
          <SearchIcon size={15} aria-hidden />
          <input
            className="input"
            type="search"
            value={typed}
            aria-label={t("documents.search")}
            placeholder={t("documents.search")}
            onChange={(event) => setTyped(event.target.value)}
          />
        </div>
        <select className="input filter" aria-label={t("documents.filter")} value={state} onChange={(event) => filter(event.target.value, wanted)}>
          {states
            .filter((item) => item !== "unapproved" || base.approval)
            .map((item) => (
              <option key={item} value={item}>
                {t(item === "" ? "documents.all" : item === "needs-ocr" ? "state.needsOcr" : `state.${item}`)}
              </option>
            ))}
        </select>
        {writes ? <AddButtons onAdd={add} /> : null}
      </div>
      <UploadPanel kbId={base.id} />
      <QueryState query={documents} rows={6} />
      {nothing && !filtered ? (
        <Empty icon={DocumentIcon} title={t("documents.emptyTitle")}>
          {t(writes ? "documents.emptyHint" : "documents.emptyReader")}
        </Empty>
      ) : null}
      {nothing && filtered ? (
        <Empty
          icon={SearchIcon}
          title={t("documents.noneTitle")}
          actions={<Button onClick={() => (setTyped(""), void navigate({ to: ".", search: {} }))}>{t("documents.showAll")}</Button>}
        >
          {t("documents.noneHint")}
        </Empty>
      ) : null}
      {rows.length > 0 ? (
        <DocumentTable
          onShare={base.level === "manage" ? setSharing : null}
          rows={rows}
          more={documents.hasNextPage && !documents.isFetchingNextPage}
          onMore={() => void documents.fetchNextPage()}
        />
      ) : null}
      {sharing === null ? null : <ShareDialog kbId={base.id} base={base.name} path={sharing.path} onClose={() => setSharing(null)} />}
      <div className="drop-hint" aria-hidden="true">
        <UploadIcon size={22} />
        {t("documents.drop", { name: base.name })}
      </div>
    </div>
  );
}

function AddButtons({ onAdd }: { readonly onAdd: (files: readonly PickedFile[]) => unknown }) {
  const { t } = useTranslation();
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={files}
        hidden
        type="file"
        multiple
        data-testid="files"
        aria-label={t("documents.addFiles")}
        onChange={(event) => (onAdd(pickedFiles(event.target.files)), (event.target.value = ""))}
      />
      <input
        ref={folder}
        hidden
        type="file"
        multiple
        data-testid="folder"
        aria-label={t("documents.addFolder")}
        {...{ webkitdirectory: "" }}
        onChange={(event) => (onAdd(pickedFiles(event.target.files)), (event.target.value = ""))}
      />
      <Button className="desk" icon={FolderIcon} onClick={() => folder.current?.click()}>
        {t("documents.addFolder")}
      </Button>
      <Button look="primary" icon={UploadIcon} onClick={() => files.current?.click()}>
        {t("documents.addFiles")}
      </Button>
    </>
  );
}
