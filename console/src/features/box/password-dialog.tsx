/** @file A new password, for oneself (the present one is asked) or for somebody else. */
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { client } from "../../api/client.ts";
import { sessionQuery, useAction } from "../../api/queries.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { showToast } from "../../ui/toasts.tsx";

export function PasswordDialog({ id, name, onClose }: { readonly id: string; readonly name: string; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const { data: session } = useQuery(sessionQuery());
  const isOwn = session?.actor?.personId === id;
  const save = useAction(
    async ({ current, password }: { readonly current: string; readonly password: string }) => {
      if (isOwn) await client.account.changePassword({ current, password });
      else await client.people.update(id, { password });
    },
    [["people"], ["session"], ["sessions"]],
  );
  const submit = (form: FormData) =>
    save.mutate(
      { current: String(form.get("current") ?? ""), password: String(form.get("password") ?? "") },
      { onSuccess: () => (showToast(isOwn ? t("people.ownPasswordSaved") : t("people.passwordSaved", { name })), onClose()) },
    );
  return (
    <Dialog title={isOwn ? t("people.password") : t("people.passwordFor", { name })} onClose={onClose}>
      <DialogForm action={save} onSubmit={submit} onClose={onClose}>
        {isOwn ? (
          <div className="field">
            <label htmlFor="current-password">{t("people.currentPassword")}</label>
            <input id="current-password" name="current" type="password" className="input" required autoFocus autoComplete="current-password" />
          </div>
        ) : null}
        <div className="field">
          <label htmlFor="new-password">{t("people.newPassword")}</label>
          <input
            id="new-password"
            name="password"
            type="password"
            className="input"
            required
            minLength={8}
            autoFocus={!isOwn}
            autoComplete="new-password"
          />
          <span className="hint">{t(isOwn ? "people.ownPasswordHint" : "people.passwordHint")}</span>
        </div>
      </DialogForm>
    </Dialog>
  );
}
