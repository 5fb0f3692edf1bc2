/** @file Teams as a tree, with who is in them. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Person } from "#client";
import type { Team } from "#contracts";
import { client } from "../../api/client.ts";
import { peopleQuery, teamsQuery, useAction } from "../../api/queries.ts";
import { Button, Empty, IconButton } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { EditIcon, PlusIcon, TeamIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { RemoveButton } from "../../ui/remove-button.tsx";
import { useRemoving } from "../../ui/undo.ts";

export function TeamsTab() {
  const { t } = useTranslation();
  const teams = useQuery(teamsQuery());
  const people = useQuery(peopleQuery());
  const removing = useRemoving();
  const [editing, setEditing] = useState<Team | "new" | null>(null);
  const shown = teams.data?.filter((team) => !removing.has(team.id)) ?? [];
  return (
    <div className="page-body">
      <div className="row">
        <p className="muted small grow">{t("teams.hint")}</p>
        <Button small icon={PlusIcon} onClick={() => setEditing("new")}>
          {t("teams.add")}
        </Button>
      </div>
      <QueryState query={teams} rows={3} />
      {teams.isSuccess && shown.length === 0 ? (
        <Empty icon={TeamIcon} title={t("teams.empty")}>
          {t("teams.emptyHint")}
        </Empty>
      ) : null}
      {shown.length > 0 ? (
        <ul className="card lines" aria-label={t("box.teams")}>
          {inOrder(shown, null, 0).map(({ team, depth }) => (
            <TeamRow key={team.id} team={team} depth={depth} people={people.data ?? []} onEdit={() => setEditing(team)} />
          ))}
        </ul>
      ) : null}
      {editing === null ? null : (
        <TeamDialog team={editing === "new" ? null : editing} teams={shown} people={people.data ?? []} onClose={() => setEditing(null)} />
      )}
    </div>
  );
}

function inOrder(teams: readonly Team[], parentId: string | null, depth: number): readonly { readonly team: Team; readonly depth: number }[] {
  return teams.filter((team) => team.parentId === parentId).flatMap((team) => [{ team, depth }, ...inOrder(teams, team.id, depth + 1)]);
}

function TeamRow({
  team,
  depth,
  people,
  onEdit,
}: {
  readonly team: Team;
  readonly depth: number;
  readonly people: readonly Person[];
  readonly onEdit: () => void;
}) {
  const { t } = useTranslation();
  const remove = useAction(() => client.people.removeTeam(team.id), [["teams"], ["people"], ["access"]]);
  const names = team.memberIds.map((id) => people.find((person) => person.id === id)?.name ?? id);
  return (
    <li className="model row" style={{ paddingInlineStart: 16 + depth * 22 }}>
      <TeamIcon size={15} aria-hidden />
      <span className="col grow" style={{ minWidth: 0 }}>
        <strong className="clip">{team.name}</strong>
        <span className="muted small clip">{names.length === 0 ? t("teams.nobody") : names.join(t("teams.comma"))}</span>
      </span>
      <span className="muted tiny num">{t("teams.count", { count: team.memberIds.length })}</span>
      <IconButton label={t("teams.edit", { name: team.name })} icon={EditIcon} onClick={onEdit} />
      <RemoveButton id={team.id} label={t("teams.remove", { name: team.name })} removed={t("teams.removed", { name: team.name })} action={remove} />
    </li>
  );
}

function TeamDialog({
  team,
  teams,
  people,
  onClose,
}: {
  readonly team: Team | null;
  readonly teams: readonly Team[];
  readonly people: readonly Person[];
  readonly onClose: () => void;
}) {
  const { t } = useTranslation();
  const save = useAction(
    async (input: { readonly name: string; readonly parentId: string | null; readonly memberIds: readonly string[] }) => {
      const { id } = team ?? (await client.people.createTeam({ name: input.name, parentId: input.parentId }));
      await client.people.updateTeam(id, input);
    },
    [["teams"], ["people"], ["access"]],
  );
  return (
    <Dialog title={team === null ? t("teams.add") : t("teams.edit", { name: team.name })} onClose={onClose}>
      <DialogForm
        action={save}
        onClose={onClose}
        onSubmit={(form) => {
          const parent = String(form.get("parent") ?? "");
          save.mutate(
            { name: String(form.get("name") ?? "").trim(), parentId: parent === "" ? null : parent, memberIds: form.getAll("member").map(String) },
            { onSuccess: onClose },
          );
        }}
      >
        <div className="field">
          <label htmlFor="team-name">{t("teams.name")}</label>
          <input id="team-name" name="name" className="input" required maxLength={100} defaultValue={team?.name ?? ""} autoFocus autoComplete="off" />
        </div>
        <div className="field">
          <label htmlFor="team-parent">{t("teams.parent")}</label>
          <select id="team-parent" name="parent" className="input" defaultValue={team?.parentId ?? ""}>
            <option value="">{t("teams.top")}</option>
            {teams
              .filter((item) => item.id !== team?.id)
              .map((item) => (
                <option key={item.id} value={item.id}>
                  {item.name}
                </option>
              ))}
          </select>
        </div>
        <fieldset className="field checks-list">
          <legend>{t("teams.members")}</legend>
          {people.map((person) => (
            <label key={person.id} className="row">
              <input type="checkbox" name="member" value={person.id} defaultChecked={team?.memberIds.includes(person.id) === true} />
              <span className="clip">{person.name}</span>
              <span className="muted small clip">{person.email}</span>
            </label>
          ))}
        </fieldset>
      </DialogForm>
    </Dialog>
  );
}
