/** @file "Undo" instead of "are you sure": a removed thing leaves the screen at once and the box a few seconds later. */
import { useSyncExternalStore } from "react";
import { showToast } from "./toasts.tsx";

const graceMs = 6000;
let pending: ReadonlyMap<string, () => Promise<void>> = new Map();
const listeners = new Set<() => void>();

function change(id: string, run?: () => Promise<void>): void {
  const next = new Map(pending);
  if (run === undefined) next.delete(id);
  else next.set(id, run);
  pending = next;
  for (const listener of listeners) listener();
}

// Leaving the page is no change of mind: what was removed is removed.
window.addEventListener("pagehide", () => {
  for (const run of pending.values()) void run();
});

/** Hides `id` now, runs `remove` after the grace time, or never when undone. `onError` gets what went wrong. */
export function removeWithUndo(id: string, text: string, remove: () => Promise<void>, onError: (error: unknown) => void): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = async () => {
    clearTimeout(timer);
    try {
      await remove();
    } catch (error) {
      onError(error);
    } finally {
      change(id);
    }
  };
  change(id, run);
  timer = setTimeout(() => void run(), graceMs);
  showToast(text, () => (clearTimeout(timer), change(id)), graceMs);
}

/** Ids that are on their way out; lists leave them out. */
export function useRemoving(): ReadonlyMap<string, unknown> {
  return useSyncExternalStore(
    (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    () => pending,
  );
}
