/** @file Light, dark or the system's: kept in this browser. */
import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark" | "auto";
const key = "starbox.theme";
const listeners = new Set<() => void>();

export function readTheme(): Theme {
  const theme = document.documentElement.dataset["theme"];
  return theme === "light" || theme === "dark" ? theme : "auto";
}

export function setTheme(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  try {
    if (theme === "auto") localStorage.removeItem(key);
    else localStorage.setItem(key, theme);
  } catch {
    // Storage closed to us: the choice lasts as long as the page.
  }
  for (const listener of listeners) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => (listeners.add(listener), () => listeners.delete(listener)), readTheme);
}
