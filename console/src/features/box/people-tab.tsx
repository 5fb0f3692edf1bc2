/** @file People who may sign in. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Person } from "#client";
import type { Role } from "#contracts";
import { client } from "../../api/client.ts";
import { peopleQuery, sessionQuery, useAction } from "../../api/queries.ts";
import { startViewAs } from "../../api/view-as.ts";
import { Button, IconButton } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { useErrorWords } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { KeyIcon, LinkIcon, PlusIcon, ShieldIcon, ShieldOffIcon, ViewIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { RemoveButton } from "../../ui/remove-button.tsx";
import { showToast } from "../../ui/toasts.tsx";
import { useRemoving } from "../../ui/undo.ts";
import { Invitations, InviteDialog, RoleField, roles } from "./invitations.tsx";
import { PasswordDialog } from "./password-dialog.tsx";

export function PeopleTab() {
  const { data: session } = useQuery(sessionQuery());
  const self = session?.actor?.personId ?? null;
  return (
    <div className="page-body">
      <People self={self} />
      <Invitations />
    </div>
  );
}

function People({ self }: { readonly self: string | null }) {
  const { t } = useTranslation();
  const people = useQuery(peopleQuery());
  const removing = useRemoving();
  const [adding, setAdding] = useState(false);
  const [inviting, setInviting] = useState(false);
  return (
    <section className="col" style={{ gap: 8 }}>
      <div className="row">
        <h2 className="label">{t("people.title")}</h2>
        <Button small className="end" icon={LinkIcon} onClick={() => setInviting(true)}>
          {t("invite.title")}
        </Button>
        <Button small icon={PlusIcon} onClick={() => setAdding(true)}>
          {t("people.add")}
        </Button>
      </div>
      <QueryState query={people} rows={2} />
      <ul className="card lines">
        {people.data
          ?.filter((person) => !removing.has(person.id))
          .map((person) => (
            <PersonRow key={person.id} person={person} self={person.id === self} />
          ))}
      </ul>
      {adding ? <AddPersonDialog onClose={() => setAdding(false)} /> : null}
      {inviting ? <InviteDialog onClose={() => setInviting(false)} /> : null}
    </section>
  );
}

function PersonRow({ person, self }: { readonly person: Person; readonly self: boolean }) {
  const { t } = useTranslation();
  const { date } = useFormat();
  const words = useErrorWords();
  const [renewing, setRenewing] = useState(false);
  const role = useAction((next: Role) => client.people.update(person.id, { role: next }), [["people"]]);
  const factorOff = useAction(() => client.account.removeSecondFactor({ person: person.id }), [["people"]]);
  const remove = useAction(() => client.people.remove(person.id), [["people"]]);
  return (
    <li className="model row wrap">
      <span className="avatar" aria-hidden="true">
        {[...person.name][0]?.toUpperCase()}
      </span>
      <strong className="clip">{person.name}</strong>
      <span className="muted small clip">{person.email}</span>
      <select
        className="input filter"
        aria-label={t("people.roleOf", { name: person.name })}
        value={person.role}
        disabled={role.isPending}
        onChange={(event) => role.mutate(event.target.value as Role, { onError: (error) => showToast(words(error).message) })}
      >
        {roles.map((item) => (
          <option key={item} value={item}>
            {t(`people.${item}`)}
          </option>
        ))}
      </select>
      {person.secondFactor ? (
        <span className="tag" title={t("people.secondFactor")}>
          <ShieldIcon size={12} aria-hidden /> {t("people.secondFactorShort")}
        </span>
      ) : null}
      {self ? <span className="muted tiny">{t("people.you")}</span> : null}
      <span className="row end">
        <span className="muted tiny">{date(person.createdAt)}</span>
        <IconButton label={t("people.passwordFor", { name: person.name })} icon={KeyIcon} onClick={() => setRenewing(true)} />
        {renewing ? <PasswordDialog id={person.id} name={person.name} onClose={() => setRenewing(false)} /> : null}
        {self || !person.secondFactor ? null : (
          <IconButton
            label={t("factor.takeOff", { name: person.name })}
            icon={ShieldOffIcon}
            disabled={factorOff.isPending}
            onClick={() => factorOff.mutate(undefined, { onError: (error) => showToast(words(error).message) })}
          />
        )}
        {self ? null : (
          <IconButton
            label={t("viewAs.go", { name: person.name })}
            icon={ViewIcon}
            onClick={() => startViewAs({ id: person.id, name: person.name })}
          />
        )}
        {self ? null : (
          <RemoveButton
            id={person.id}
            label={t("people.remove", { name: person.name })}
            removed={t("people.removed", { name: person.name })}
            action={remove}
          />
        )}
      </span>
    </li>
  );
}

function AddPersonDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const add = useAction(client.people.create, [["people"]]);
  return (
    <Dialog title={t("people.add")} onClose={onClose}>
      <DialogForm
        action={add}
        deed={t("people.addGo")}
        onClose={onClose}
        onSubmit={(form) => {
          const text = (name: string): string => String(form.get(name) ?? "").trim();
          add.mutate(
            {
              name: text("name"),
              email: text("email"),
              password: String(form.get("password")),
              role: text("role") as Role,
            },
            { onSuccess: onClose },
          );
        }}
      >
        <div className="field">
          <label htmlFor="person-name">{t("account.name")}</label>
          <input id="person-name" name="name" className="input" required maxLength={100} autoFocus autoComplete="off" />
        </div>
        <div className="field">
          <label htmlFor="person-email">{t("account.email")}</label>
          <input id="person-email" name="email" type="email" className="input" required autoComplete="off" />
        </div>
        <div className="field">
          <label htmlFor="person-password">{t("people.firstPassword")}</label>
          <input id="person-password" name="password" type="text" className="input" required minLength={8} autoComplete="off" />
          <span className="hint">{t("account.passwordHint")}</span>
        </div>
        <RoleField id="person-role" />
      </DialogForm>
    </Dialog>
  );
}
