/** @file Short messages at the edge, read out once; with "undo" where something was removed. No pop-up storm: at most three stand. */
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Button, IconButton } from "./basics.tsx";
import { CloseIcon, UndoIcon } from "./icons.ts";

type Toast = { readonly id: number; readonly text: string; readonly undo?: () => void };

let toasts: readonly Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();
function set(next: readonly Toast[]): void {
  toasts = next.slice(-3);
  for (const listener of listeners) listener();
}

export function showToast(text: string, undo?: () => void, forMs = 5000): number {
  const id = nextId++;
  set([...toasts, { id, text, ...(undo === undefined ? {} : { undo }) }]);
  setTimeout(() => dismissToast(id), forMs);
  return id;
}

export function dismissToast(id: number): void {
  set(toasts.filter((toast) => toast.id !== id));
}

export function Toasts() {
  const { t } = useTranslation();
  const list = useSyncExternalStore(
    (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map((toast) => (
        <div key={toast.id} className="toast">
          <span className="grow">{toast.text}</span>
          {toast.undo ? (
            <Button small look="quiet" icon={UndoIcon} onClick={() => (toast.undo?.(), dismissToast(toast.id))}>
              {t("common.undo")}
            </Button>
          ) : (
            <IconButton label={t("common.close")} icon={CloseIcon} onClick={() => dismissToast(toast.id)} />
          )}
        </div>
      ))}
    </div>
  );
}
