/** @file docs/env.md is the settings table of `base`, printed. Without arguments compares; with --write writes. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { settingsTable } from "#base";
import { projectRoot } from "./source-files.ts";

const file = path.join(projectRoot, "docs", "env.md");

function present(value: unknown): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  const text = Array.isArray(value) ? value.join(",") : String(value);
  return text === "" ? "(empty)" : `\`${text.replace(os.homedir(), "~")}\``;
}

const rows = Object.values(settingsTable).map(({ key, doc, fallback }) => `| \`${key}\` | ${present(fallback)} | ${doc} |`);
const page = [
  "# Settings",
  "",
  "Environment variables the box and the command line read. Written by `npm run docs`, checked by `npm test`.",
  "A bad value stops the start; all bad values are listed at once.",
  "",
  "| variable | default | meaning |",
  "|---|---|---|",
  ...rows,
  "",
].join("\n");

if (rows.length === 0) throw new Error("the settings table is empty");
if (process.argv.includes("--write")) fs.writeFileSync(file, page);
else if (!fs.existsSync(file) || fs.readFileSync(file, "utf8") !== page) {
  console.error("docs/env.md differs from the settings table in src/base/settings.ts. Run: npm run docs");
  process.exit(1);
} else console.log(`${rows.length} settings`);
