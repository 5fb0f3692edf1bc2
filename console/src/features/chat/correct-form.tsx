/** @file Correcting an answer where it stands: the right text, and why in one tap. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { ChatTurn } from "#contracts";
import { client } from "../../api/client.ts";
import { useAction } from "../../api/queries.ts";
import { Button } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { showToast } from "../../ui/toasts.tsx";

const reasons = ["wrong", "incomplete", "source", "unclear"] as const;

export function CorrectForm({ turn, chatId, onClose }: { readonly turn: ChatTurn; readonly chatId: string; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState(turn.correction ?? turn.content);
  const [reason, setReason] = useState<(typeof reasons)[number] | null>(null);
  const save = useAction(
    () => client.chats.correctTurn(turn.id, { text: text.trim(), ...(reason === null ? {} : { reason: t(`correct.${reason}`) }) }),
    [["turns", chatId]],
  );
  const submit = () =>
    save.mutate(undefined, {
      onSuccess: () => {
        showToast(t("correct.saved"));
        onClose();
      },
    });
  return (
    <form className="correct col" onSubmit={(event) => (event.preventDefault(), submit())}>
      <textarea
        className="input"
        aria-label={t("correct.text")}
        autoFocus
        rows={Math.min(14, Math.max(4, text.split("\n").length + 1))}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && onClose()}
      />
      <div className="row wrap" role="group" aria-label={t("correct.why")}>
        <span className="muted small">{t("correct.why")}</span>
        {reasons.map((item) => (
          <button
            key={item}
            type="button"
            className={item === reason ? "chip on" : "chip"}
            aria-pressed={item === reason}
            onClick={() => setReason(item === reason ? null : item)}
          >
            {t(`correct.${item}`)}
          </button>
        ))}
      </div>
      {save.isError ? <ErrorCard error={save.error} /> : null}
      <div className="row">
        <span className="muted tiny">{t("correct.kept")}</span>
        <Button small className="end" onClick={onClose}>
          {t("common.cancel")}
        </Button>
        <Button small look="primary" type="submit" busy={save.isPending} disabled={text.trim() === ""}>
          {t("common.save")}
        </Button>
      </div>
    </form>
  );
}
