/** @file A document's title and date, set by a person: they then stay when the file comes again. */
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DocumentInfo } from "#contracts";
import { client } from "../../api/client.ts";
import { useAction } from "../../api/queries.ts";
import { Button } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { EditIcon } from "../../ui/icons.ts";

export function EditFacts({ document }: { readonly document: DocumentInfo }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button small look="quiet" icon={EditIcon} onClick={() => setOpen(true)}>
        {t("document.edit")}
      </Button>
      {open ? <EditDialog document={document} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

function EditDialog({ document, onClose }: { readonly document: DocumentInfo; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const titleId = useId();
  const dateId = useId();
  const hintId = useId();
  const save = useAction(
    (json: { title?: string; date?: string | null }) => client.knowledge.updateDocument(document.id, json),
    [["document", document.id], ["documents"], ["search"]],
  );
  return (
    <Dialog title={t("document.edit")} onClose={onClose}>
      <DialogForm
        action={save}
        onClose={onClose}
        onSubmit={(form) => {
          const title = String(form.get("title")).trim();
          const date = String(form.get("date")) || null;
          const changes = { ...(title === document.title ? {} : { title }), ...(date === document.date ? {} : { date }) };
          if (Object.keys(changes).length === 0) onClose();
          else save.mutate(changes, { onSuccess: onClose });
        }}
      >
        <div className="field">
          <label htmlFor={titleId}>{t("document.title")}</label>
          <input id={titleId} name="title" className="input" required maxLength={300} defaultValue={document.title} autoFocus />
        </div>
        <div className="field">
          <label htmlFor={dateId}>{t("document.date")}</label>
          <input id={dateId} name="date" type="date" className="input" defaultValue={document.date ?? ""} aria-describedby={hintId} />
          <p id={hintId} className="muted tiny">
            {t("document.dateHint")}
          </p>
        </div>
      </DialogForm>
    </Dialog>
  );
}
