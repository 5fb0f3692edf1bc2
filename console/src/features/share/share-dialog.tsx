/** @file Who may read and write a base, a folder or a file: the list, what stands above it, and adding to it. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { AccessEntry, AccessList, Directory, Level, Principal } from "#contracts";
import { client } from "../../api/client.ts";
import { accessQuery, directoryQuery, useAction } from "../../api/queries.ts";
import { Button, IconButton, Notice, Skeletons } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { EveryoneIcon, InfoIcon, PersonIcon, PlusIcon, RemoveIcon, TeamIcon } from "../../ui/icons.ts";

type Row = AccessEntry & { readonly name: string };

const keyOf = (principal: Principal): string => (principal.kind === "everyone" ? "everyone" : `${principal.kind}:${principal.id}`);

/** The list that counts for a path: its own, or the nearest above. */
function nearest(lists: readonly AccessList[], path: string): AccessList | undefined {
  return [...lists]
    .filter((list) => list.path === "" || path === list.path || path.startsWith(`${list.path}/`))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

export function ShareDialog({
  kbId,
  base,
  path,
  onClose,
}: {
  readonly kbId: string;
  readonly base: string;
  readonly path: string;
  readonly onClose: () => void;
}) {
  const { t } = useTranslation();
  const lists = useQuery(accessQuery(kbId));
  const directory = useQuery(directoryQuery());
  const name = path === "" ? base : path;
  return (
    <Dialog title={t("share.title", { name })} onClose={onClose} wide>
      {lists.isError ? <ErrorCard error={lists.error} onRetry={() => void lists.refetch()} /> : null}
      {directory.isError ? <ErrorCard error={directory.error} onRetry={() => void directory.refetch()} /> : null}
      {lists.data === undefined || directory.data === undefined ? (
        lists.isError || directory.isError ? null : (
          <Skeletons rows={3} label={t("common.loading")} />
        )
      ) : (
        <ShareForm key={JSON.stringify(lists.data)} kbId={kbId} path={path} lists={lists.data} directory={directory.data} onClose={onClose} />
      )}
    </Dialog>
  );
}

function ShareForm({
  kbId,
  path,
  lists,
  directory,
  onClose,
}: {
  readonly kbId: string;
  readonly path: string;
  readonly lists: readonly AccessList[];
  readonly directory: Directory;
  readonly onClose: () => void;
}) {
  const { t } = useTranslation();
  const own = lists.find((list) => list.path === path);
  const above =
    path === ""
      ? undefined
      : nearest(
          lists.filter((list) => list.path !== path),
          path,
        );
  const [rows, setRows] = useState<readonly Row[]>(own?.entries ?? []);
  // The dialog closes within the action: once the lists are read again, this form is another one.
  const save = useAction(
    async (entries: readonly Row[]) => {
      await client.people.writeAccess(
        kbId,
        path,
        entries.map(({ principal, level }) => ({ principal, level })),
      );
      onClose();
    },
    [["access"], ["bases"]],
  );
  const inherit = useAction(async () => {
    await client.people.removeAccess(kbId, path);
    onClose();
  }, [["access"], ["bases"]]);
  const error = save.error ?? inherit.error;
  return (
    <form
      className="col"
      style={{ gap: 14 }}
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(rows);
      }}
    >
      <p className="muted small">{t(path === "" ? "share.baseHint" : "share.pathHint")}</p>
      {above === undefined ? null : (
        <Notice icon={InfoIcon}>
          <p>{t(own === undefined ? "share.inherits" : "share.above", { from: above.path === "" ? t("share.theBase") : above.path })}</p>
          <p className="muted">{above.entries.length === 0 ? t("share.managersOnly") : above.entries.map((entry) => words(entry, t)).join(" · ")}</p>
        </Notice>
      )}
      {rows.length === 0 ? <p className="muted small">{t(own === undefined && path !== "" ? "share.noOwn" : "share.managersOnly")}</p> : null}
      {rows.length > 0 ? (
        <ul className="card lines" aria-label={t("share.list")}>
          {rows.map((row) => (
            <EntryRow
              key={keyOf(row.principal)}
              row={row}
              wholeBase={path === ""}
              onLevel={(level) => setRows(rows.map((item) => (item === row ? { ...row, level } : item)))}
              onRemove={() => setRows(rows.filter((item) => item !== row))}
            />
          ))}
        </ul>
      ) : null}
      <AddEntry directory={directory} taken={new Set(rows.map((row) => keyOf(row.principal)))} onAdd={(row) => setRows([...rows, row])} />
      {error === null ? null : <ErrorCard error={error} />}
      <div className="actions">
        {own !== undefined && path !== "" ? (
          <Button className="start" busy={inherit.isPending} onClick={() => inherit.mutate(undefined)}>
            {t("share.inherit")}
          </Button>
        ) : null}
        <Button onClick={onClose}>{t("common.cancel")}</Button>
        <Button look="primary" type="submit" busy={save.isPending}>
          {t("common.save")}
        </Button>
      </div>
    </form>
  );
}

type Translate = ReturnType<typeof useTranslation>["t"];
export const words = (entry: Row, t: Translate): string =>
  `${entry.principal.kind === "everyone" ? t("share.everyone") : entry.name}${t("share.colon")}${t(`share.${entry.level}`)}`;

const icons = { everyone: EveryoneIcon, team: TeamIcon, person: PersonIcon } as const;

function EntryRow({
  row,
  wholeBase,
  onLevel,
  onRemove,
}: {
  readonly row: Row;
  readonly wholeBase: boolean;
  readonly onLevel: (level: Level) => void;
  readonly onRemove: () => void;
}) {
  const { t } = useTranslation();
  const Mark = icons[row.principal.kind];
  const name = row.principal.kind === "everyone" ? t("share.everyone") : row.name;
  return (
    <li className="model row">
      <Mark size={15} aria-hidden />
      <span className="clip grow">{name}</span>
      <select
        className="input filter"
        aria-label={t("share.levelOf", { name })}
        value={row.level}
        onChange={(event) => onLevel(event.target.value as Level)}
      >
        {levels(wholeBase).map((level) => (
          <option key={level} value={level}>
            {t(`share.${level}`)}
          </option>
        ))}
      </select>
      <IconButton label={t("share.remove", { name })} icon={RemoveIcon} onClick={onRemove} />
    </li>
  );
}

const levels = (wholeBase: boolean): readonly Level[] => (wholeBase ? ["read", "write", "manage"] : ["read", "write"]);

function AddEntry({
  directory,
  taken,
  onAdd,
}: {
  readonly directory: Directory;
  readonly taken: ReadonlySet<string>;
  readonly onAdd: (row: Row) => void;
}) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState("");
  const add = () => {
    const [kind, id = ""] = chosen.split(/:(.*)/s);
    const name = kind === "team" ? directory.teams.find((team) => team.id === id)?.name : directory.people.find((person) => person.id === id)?.name;
    onAdd({ principal: kind === "team" || kind === "person" ? { kind, id } : { kind: "everyone" }, level: "read", name: name ?? "" });
    setChosen("");
  };
  return (
    <div className="row" style={{ gap: 8 }}>
      <select className="input grow" aria-label={t("share.who")} value={chosen} onChange={(event) => setChosen(event.target.value)}>
        <option value="">{t("share.choose")}</option>
        {taken.has("everyone") ? null : <option value="everyone">{t("share.everyone")}</option>}
        <optgroup label={t("share.teams")}>
          {directory.teams
            .filter((team) => !taken.has(`team:${team.id}`))
            .map((team) => (
              <option key={team.id} value={`team:${team.id}`}>
                {`${team.name} (${team.members})`}
              </option>
            ))}
        </optgroup>
        <optgroup label={t("share.people")}>
          {directory.people
            .filter((person) => !taken.has(`person:${person.id}`))
            .map((person) => (
              <option key={person.id} value={`person:${person.id}`}>
                {`${person.name} <${person.email}>`}
              </option>
            ))}
        </optgroup>
      </select>
      <Button icon={PlusIcon} disabled={chosen === ""} onClick={add}>
        {t("share.add")}
      </Button>
    </div>
  );
}
