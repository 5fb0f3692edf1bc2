/** @file Inviting people by link: no mail server is needed, the link is handed over by whatever way people talk. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Invitation, Role } from "#contracts";
import { client } from "../../api/client.ts";
import { invitationsQuery, teamsQuery, useAction } from "../../api/queries.ts";
import { Button, CopyButton, Notice } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { LinkIcon } from "../../ui/icons.ts";
import { RemoveButton } from "../../ui/remove-button.tsx";
import { useRemoving } from "../../ui/undo.ts";

export const roles: readonly Role[] = ["member", "editor", "knowledge-owner", "administrator", "api-only"];

export function Invitations() {
  const { t } = useTranslation();
  const invitations = useQuery(invitationsQuery());
  const removing = useRemoving();
  const open = invitations.data?.filter((item) => !removing.has(item.id)) ?? [];
  if (invitations.isError) return <ErrorCard error={invitations.error} onRetry={() => void invitations.refetch()} />;
  if (open.length === 0) return null;
  return (
    <section className="col" style={{ gap: 8 }}>
      <h2 className="label">{t("invite.open")}</h2>
      <ul className="card lines" aria-label={t("invite.open")}>
        {open.map((item) => (
          <InvitationRow key={item.id} item={item} />
        ))}
      </ul>
    </section>
  );
}

function InvitationRow({ item }: { readonly item: Invitation }) {
  const { t } = useTranslation();
  const { date } = useFormat();
  const remove = useAction(() => client.people.removeInvitation(item.id), [["invitations"]]);
  return (
    <li className="model row wrap">
      <LinkIcon size={15} aria-hidden />
      <span className="clip grow">{item.email}</span>
      <span className="tag">{t(`people.${item.role}`)}</span>
      <span className="muted tiny">{t("invite.until", { date: date(item.expiresAt) })}</span>
      <RemoveButton
        id={item.id}
        label={t("invite.withdraw", { email: item.email })}
        removed={t("invite.withdrawn", { email: item.email })}
        action={remove}
      />
    </li>
  );
}

export function InviteDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const teams = useQuery(teamsQuery());
  const [link, setLink] = useState<{ readonly email: string; readonly url: string } | null>(null);
  const invite = useAction(client.people.createInvitation, [["invitations"]]);
  return (
    <Dialog title={t("invite.title")} onClose={onClose}>
      {link !== null ? (
        <>
          <Notice tone="accent" icon={LinkIcon} action={<CopyButton text={link.url} label={t("invite.copy")} />}>
            <p>
              <strong>{t("invite.made", { email: link.email })}</strong>
            </p>
            <p className="mono" style={{ overflowWrap: "anywhere" }}>
              {link.url}
            </p>
            <p>{t("invite.madeHint")}</p>
          </Notice>
          <div className="actions">
            <Button look="primary" onClick={onClose}>
              {t("common.close")}
            </Button>
          </div>
        </>
      ) : (
        <DialogForm
          action={invite}
          deed={t("invite.go")}
          onClose={onClose}
          onSubmit={(form) => {
            const email = String(form.get("email") ?? "").trim();
            invite.mutate(
              {
                email,
                role: String(form.get("role")) as Role,
                days: Number(form.get("days")),
                teamIds: form.getAll("team").map(String),
              },
              { onSuccess: (made) => setLink({ email, url: `${location.origin}/invitation#${made.token}` }) },
            );
          }}
        >
          <p className="muted small">{t("invite.lead")}</p>
          <div className="field">
            <label htmlFor="invite-email">{t("account.email")}</label>
            <input id="invite-email" name="email" type="email" className="input" required autoFocus autoComplete="off" />
          </div>
          <RoleField id="invite-role" without="api-only" />
          <div className="field">
            <label htmlFor="invite-days">{t("invite.days")}</label>
            <input id="invite-days" name="days" type="number" className="input" min={1} max={90} defaultValue={7} required />
          </div>
          {(teams.data?.length ?? 0) > 0 ? (
            <fieldset className="field checks-list">
              <legend>{t("box.teams")}</legend>
              {teams.data?.map((team) => (
                <label key={team.id} className="row">
                  <input type="checkbox" name="team" value={team.id} />
                  <span className="clip">{team.name}</span>
                </label>
              ))}
            </fieldset>
          ) : null}
        </DialogForm>
      )}
    </Dialog>
  );
}

/** The role, and in one sentence what it may do. */
export function RoleField({ id, without }: { readonly id: string; readonly without?: Role }) {
  const { t } = useTranslation();
  const [role, setRole] = useState<Role>("member");
  return (
    <div className="field">
      <label htmlFor={id}>{t("people.role")}</label>
      <select
        id={id}
        name="role"
        className="input"
        value={role}
        aria-describedby={`${id}-hint`}
        onChange={(event) => setRole(event.target.value as Role)}
      >
        {roles
          .filter((item) => item !== without)
          .map((item) => (
            <option key={item} value={item}>
              {t(`people.${item}`)}
            </option>
          ))}
      </select>
      <span className="hint" id={`${id}-hint`}>
        {t(`role.${role}`)}
      </span>
    </div>
  );
}
