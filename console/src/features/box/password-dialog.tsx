/** @file A new password, for oneself or for somebody else. */
import { useTranslation } from "react-i18next";
import { client } from "../../api/client.ts";
import { useAction } from "../../api/queries.ts";
import { Button } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { showToast } from "../../ui/toasts.tsx";

export function PasswordDialog({ id, name, onClose }: { readonly id: string; readonly name: string; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const save = useAction((password: string) => client.people.update(id, { password }), [["people"], ["session"]]);
  const submit = (password: string) => save.mutate(password, { onSuccess: () => (showToast(t("people.passwordSaved", { name })), onClose()) });
  return (
    <Dialog title={t("people.passwordFor", { name })} onClose={onClose}>
      <form
        className="col"
        style={{ gap: 14 }}
        onSubmit={(event) => (event.preventDefault(), submit(String(new FormData(event.currentTarget).get("password"))))}
      >
        <div className="field">
          <label htmlFor="new-password">{t("people.newPassword")}</label>
          <input id="new-password" name="password" type="password" className="input" required minLength={8} autoFocus autoComplete="new-password" />
          <span className="hint">{t("people.passwordHint")}</span>
        </div>
        {save.isError ? <ErrorCard error={save.error} /> : null}
        <div className="actions">
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="primary" type="submit" busy={save.isPending}>
            {t("common.save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
