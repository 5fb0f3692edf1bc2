/** @file Which of the two languages a person at a terminal reads. */
import type { Settings } from "./settings.ts";

export type Language = "zh" | "en";

/** The setting, or for "auto" the terminal's locale. */
export function chooseLanguage(setting: Settings["lang"], env: Readonly<Record<string, string | undefined>> = process.env): Language {
  if (setting !== "auto") return setting;
  return /^zh/i.test(env["LC_ALL"] || env["LC_MESSAGES"] || env["LANG"] || "") ? "zh" : "en";
}
