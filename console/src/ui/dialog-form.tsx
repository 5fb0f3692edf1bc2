/** @file The form inside a dialog: its fields, what went wrong, the way back and the deed. Every one looks and behaves alike. */
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "./basics.tsx";
import { ErrorCard } from "./error-card.tsx";

/** What `useAction` gives, as far as it is shown. */
type Action = { readonly isPending: boolean; readonly isError: boolean; readonly error: unknown };

export function DialogForm({
  action,
  deed,
  onSubmit,
  onClose,
  children,
}: {
  readonly action: Action;
  /** What the button says; absent: to save. */
  readonly deed?: string;
  readonly onSubmit: (form: FormData) => void;
  readonly onClose: () => void;
  readonly children: ReactNode;
}) {
  const { t } = useTranslation();
  return (
    <form className="col" style={{ gap: 14 }} onSubmit={(event) => (event.preventDefault(), onSubmit(new FormData(event.currentTarget)))}>
      {children}
      {action.isError ? <ErrorCard error={action.error} /> : null}
      <div className="actions">
        <Button onClick={onClose}>{t("common.cancel")}</Button>
        <Button look="primary" type="submit" busy={action.isPending}>
          {deed ?? t("common.save")}
        </Button>
      </div>
    </form>
  );
}
