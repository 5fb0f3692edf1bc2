/** @file Ctrl/⌘-K: chats, bases, documents, places and actions by a few letters. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useDeferredValue, useEffect, useId, useMemo, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../api/client.ts";
import { basesQuery, chatsQuery } from "../api/queries.ts";
import { setLanguage } from "../i18n/index.ts";
import type { Icon } from "../ui/basics.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { BaseIcon, BoxIcon, ChatIcon, DocumentIcon, KnowledgeIcon, LanguageIcon, ModelIcon, MoonIcon, PlusIcon, SearchIcon } from "../ui/icons.ts";
import { readTheme, setTheme } from "./theme.ts";

let open = false;
const listeners = new Set<() => void>();
function setOpen(next: boolean): void {
  open = next;
  for (const listener of listeners) listener();
}
export const openPalette = (): void => setOpen(true);

type Entry = { readonly id: string; readonly icon: Icon; readonly text: string; readonly detail?: string; readonly run: () => unknown };

export function Palette() {
  const isOpen = useSyncExternalStore(
    (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    () => open,
  );
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
      event.preventDefault();
      setOpen(!open);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  return isOpen ? <PaletteDialog /> : null;
}

function PaletteDialog() {
  const { t } = useTranslation();
  const listId = useId();
  const [typed, setTyped] = useState("");
  const [chosen, setChosen] = useState(0);
  const entries = useEntries(typed.trim());
  const current = Math.min(chosen, entries.length - 1);
  const run = (entry: Entry | undefined) => {
    if (entry === undefined) return;
    setOpen(false);
    void entry.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.nativeEvent.isComposing) return run(entries[current]);
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    setChosen((current + (event.key === "ArrowDown" ? 1 : -1) + entries.length) % Math.max(1, entries.length));
  };
  useEffect(() => document.getElementById(`${listId}-${current}`)?.scrollIntoView({ block: "nearest" }), [current, listId]);
  return (
    <Dialog title={t("palette.title")} onClose={() => setOpen(false)}>
      <div className="search">
        <SearchIcon size={15} aria-hidden />
        <input
          autoFocus
          className="input"
          role="combobox"
          aria-expanded="true"
          aria-controls={listId}
          aria-activedescendant={entries.length > 0 ? `${listId}-${current}` : undefined}
          aria-label={t("palette.title")}
          placeholder={t("palette.placeholder")}
          value={typed}
          onChange={(event) => (setTyped(event.target.value), setChosen(0))}
          onKeyDown={onKeyDown}
        />
      </div>
      <div id={listId} role="listbox" aria-label={t("palette.results")} className="palette-list">
        {entries.map((entry, index) => (
          <div
            key={entry.id}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === current}
            className="palette-entry"
            onMouseMove={() => setChosen(index)}
            onClick={() => run(entry)}
          >
            <entry.icon size={15} aria-hidden />
            <span className="clip">{entry.text}</span>
            {entry.detail ? <span className="end muted tiny clip">{entry.detail}</span> : null}
          </div>
        ))}
      </div>
      {entries.length === 0 ? (
        <p className="muted small" role="status">
          {t("palette.none")}
        </p>
      ) : null}
    </Dialog>
  );
}

function useEntries(typed: string): readonly Entry[] {
  const { t, i18n } = useTranslation();
  const navigate = useNavigate();
  const { data: chats = [] } = useQuery(chatsQuery());
  const { data: bases = [] } = useQuery(basesQuery());
  // Only the box is asked later; what is known here follows every key, so that Enter means what is seen.
  const asked = useDeferredValue(typed);
  const { data: documents = [] } = useQuery({
    queryKey: ["palette", asked, bases.map((base) => base.id)],
    enabled: asked !== "" && bases.length > 0,
    queryFn: async () =>
      (await Promise.all(bases.slice(0, 8).map((base) => client.knowledge.listDocuments(base.id, { search: asked, limit: 6 })))).flatMap(
        (page) => page.items,
      ),
  });
  return useMemo(() => {
    const actions: readonly Entry[] = [
      { id: "new-chat", icon: PlusIcon, text: t("chat.new"), run: () => navigate({ to: "/chat" }) },
      { id: "knowledge", icon: KnowledgeIcon, text: t("place.knowledge"), run: () => navigate({ to: "/knowledge" }) },
      { id: "box", icon: BoxIcon, text: t("place.box"), run: () => navigate({ to: "/box" }) },
      { id: "models", icon: ModelIcon, text: t("box.models"), run: () => navigate({ to: "/box/models" }) },
      { id: "theme", icon: MoonIcon, text: t("palette.theme"), run: () => setTheme(readTheme() === "dark" ? "light" : "dark") },
      { id: "language", icon: LanguageIcon, text: "中文 / English", run: () => setLanguage(i18n.language === "zh-CN" ? "en" : "zh-CN") },
    ];
    const places: readonly Entry[] = [
      ...bases.map((base) => ({
        id: base.id,
        icon: BaseIcon,
        text: base.name,
        detail: t("kb.base"),
        run: () => navigate({ to: "/knowledge/$kbId", params: { kbId: base.id } }),
      })),
      ...chats.map((chat) => ({
        id: chat.id,
        icon: ChatIcon,
        text: chat.title || t("chat.untitled"),
        detail: t("place.chat"),
        run: () => navigate({ to: "/chat/$chatId", params: { chatId: chat.id } }),
      })),
    ];
    const found = documents.map((document) => ({
      id: document.id,
      icon: DocumentIcon,
      text: document.title,
      detail: document.path,
      run: () => navigate({ to: "/documents/$documentId", params: { documentId: document.id } }),
    }));
    const wanted = typed.toLowerCase();
    const matches = (entry: Entry): boolean => entry.text.toLowerCase().includes(wanted);
    return wanted === "" ? [...actions, ...places.slice(0, 12)] : [...actions.filter(matches), ...places.filter(matches), ...found].slice(0, 40);
  }, [typed, chats, bases, documents, navigate, t, i18n.language]);
}
