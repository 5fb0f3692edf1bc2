/** @file A modal over the native <dialog>: focus, Escape and the backdrop come from the browser. */
import { type ReactNode, useEffect, useId, useRef } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "./basics.tsx";
import { CloseIcon } from "./icons.ts";

export function Dialog({
  title,
  onClose,
  wide,
  children,
}: {
  readonly title: string;
  readonly onClose: () => void;
  readonly wide?: boolean;
  readonly children: ReactNode;
}) {
  const { t } = useTranslation();
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog === null || dialog.open) return;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={ref}
      className={wide ? "dialog wide" : "dialog"}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => event.target === ref.current && onClose()}
    >
      <header>
        <h2 id={titleId}>{title}</h2>
        <IconButton label={t("common.close")} icon={CloseIcon} onClick={onClose} />
      </header>
      <div className="body">{children}</div>
    </dialog>
  );
}
