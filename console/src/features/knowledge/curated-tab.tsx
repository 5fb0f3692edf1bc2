/** @file Fixed answers: given word for word when their question is asked. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { CuratedAnswer } from "#contracts";
import { client } from "../../api/client.ts";
import { curatedQuery, useAction } from "../../api/queries.ts";
import { Button, Empty, IconButton } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { useFormat } from "../../ui/format.ts";
import { CheckIcon, EditIcon, PlusIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { RemoveButton } from "../../ui/remove-button.tsx";
import { useRemoving } from "../../ui/undo.ts";
import { useBase } from "./base-layout.tsx";

export function CuratedTab() {
  const { t } = useTranslation();
  const base = useBase();
  const answers = useQuery(curatedQuery(base.id));
  const removing = useRemoving();
  const [editing, setEditing] = useState<CuratedAnswer | "new" | null>(null);
  const shown = answers.data?.filter((answer) => !removing.has(answer.id)) ?? [];
  const add = (
    <Button look="primary" icon={PlusIcon} onClick={() => setEditing("new")}>
      {t("curated.add")}
    </Button>
  );
  return (
    <div className="page-body">
      <QueryState query={answers} />
      {answers.isSuccess && shown.length === 0 ? (
        <Empty icon={CheckIcon} title={t("curated.emptyTitle")} actions={add}>
          {t("curated.emptyHint")}
        </Empty>
      ) : null}
      {shown.length > 0 ? (
        <div className="row toolbar">
          <p className="muted small">{t("curated.hint")}</p>
          <span className="end">{add}</span>
        </div>
      ) : null}
      <ul className="col" style={{ gap: 8 }}>
        {shown.map((answer) => (
          <CuratedCard key={answer.id} answer={answer} onEdit={() => setEditing(answer)} />
        ))}
      </ul>
      {editing === null ? null : <CuratedDialog kbId={base.id} answer={editing === "new" ? null : editing} onClose={() => setEditing(null)} />}
    </div>
  );
}

function CuratedCard({ answer, onEdit }: { readonly answer: CuratedAnswer; readonly onEdit: () => void }) {
  const { t } = useTranslation();
  const { ago } = useFormat();
  const remove = useAction(() => client.knowledge.removeCurated(answer.id), [["curated"]]);
  return (
    <li className="card qa">
      <div className="row">
        <strong className="grow">{answer.question}</strong>
        <IconButton label={t("curated.edit")} icon={EditIcon} onClick={onEdit} />
        <RemoveButton id={answer.id} label={t("common.remove")} removed={t("curated.removed")} action={remove} />
      </div>
      <p className="soft pre">{answer.answer}</p>
      <p className="muted tiny">
        {answer.createdBy} · {ago(answer.updatedAt)}
      </p>
    </li>
  );
}

export function CuratedDialog({
  kbId,
  answer,
  question = "",
  onClose,
  onSaved,
}: {
  readonly kbId: string;
  readonly answer: CuratedAnswer | null;
  readonly question?: string;
  readonly onClose: () => void;
  readonly onSaved?: () => void;
}) {
  const { t } = useTranslation();
  const save = useAction((json: { id?: string; question: string; answer: string }) => client.knowledge.writeCurated(kbId, json), [["curated", kbId]]);
  return (
    <Dialog title={answer === null ? t("curated.add") : t("curated.edit")} onClose={onClose} wide>
      <DialogForm
        action={save}
        onClose={onClose}
        onSubmit={(form) => {
          save.mutate(
            {
              ...(answer === null ? {} : { id: answer.id }),
              question: String(form.get("question")).trim(),
              answer: String(form.get("answer")).trim(),
            },
            { onSuccess: () => (onSaved?.(), onClose()) },
          );
        }}
      >
        <div className="field">
          <label htmlFor="qa-question">{t("curated.question")}</label>
          <input
            id="qa-question"
            name="question"
            className="input"
            required
            maxLength={4000}
            defaultValue={answer?.question ?? question}
            autoFocus={question === ""}
          />
        </div>
        <div className="field">
          <label htmlFor="qa-answer">{t("curated.answer")}</label>
          <textarea
            id="qa-answer"
            name="answer"
            className="input"
            required
            rows={6}
            maxLength={20_000}
            defaultValue={answer?.answer}
            autoFocus={question !== ""}
          />
        </div>
      </DialogForm>
    </Dialog>
  );
}
