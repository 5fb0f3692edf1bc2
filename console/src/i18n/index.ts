/** @file The console's two languages. The words of one are loaded before the first paint, those of the other when asked for. */
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import type { Key } from "./zh.ts";

export type Language = "zh-CN" | "en";
const storageKey = "starbox.language";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "translation";
    keySeparator: false;
    nsSeparator: false;
    resources: { translation: Record<Key, string> };
  }
}

const loaders: Readonly<Record<Language, () => Promise<Readonly<Record<string, string>>>>> = {
  "zh-CN": async () => (await import("./zh.ts")).zh,
  en: async () => (await import("./en.ts")).en,
};

function firstLanguage(): Language {
  let wanted: string | null = null;
  try {
    wanted = localStorage.getItem(storageKey);
  } catch {
    // Storage closed to us: the browser's language holds.
  }
  return (wanted ?? navigator.language).toLowerCase().startsWith("zh") ? "zh-CN" : "en";
}

export async function startLanguages(): Promise<void> {
  await i18next.use(initReactI18next).init({
    resources: {},
    lng: "none",
    fallbackLng: false,
    keySeparator: false,
    nsSeparator: false,
    interpolation: { escapeValue: false },
    react: { useSuspense: false },
  });
  await setLanguage(firstLanguage(), false);
}

export async function setLanguage(language: Language, keep = true): Promise<void> {
  if (!i18next.hasResourceBundle(language, "translation")) i18next.addResourceBundle(language, "translation", await loaders[language]());
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
  if (!keep) return;
  try {
    localStorage.setItem(storageKey, language);
  } catch {
    // As above.
  }
}
