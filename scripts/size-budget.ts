/** @file Fails when a source file is longer than 400 lines and is not a table. Prints lines per room, so growth is seen. */
import fs from "node:fs";
import path from "node:path";
import { sourceFiles } from "./source-files.ts";

const limit = 400;

/** Long because they are data, not because they do much. The reason stands beside the name. */
const tables: Readonly<Record<string, string>> = {
  "console/src/i18n/zh.ts": "texts",
  "console/src/i18n/en.ts": "texts",
};

const perRoom = new Map<string, number>();
const tooLong: string[] = [];
const files = sourceFiles(["src", "console/src", "test", "scripts"]);
for (const file of files) {
  const lines = fs.readFileSync(file, "utf8").split("\n").length - 1;
  const parts = file.split(path.sep);
  const room = parts[0] === "src" ? parts.slice(0, 2).join("/") : parts[0]!;
  perRoom.set(room, (perRoom.get(room) ?? 0) + lines);
  if (lines > limit && !(file in tables) && !/-(table|catalogue|texts)\.ts$/.test(file)) tooLong.push(`${file}: ${lines} lines, at most ${limit}`);
}
if (files.length === 0) tooLong.push("no source file found: this gate looked at nothing");
console.log([...perRoom].map(([room, lines]) => `${room} ${lines}`).join(", "));
for (const line of tooLong) console.error(line);
process.exit(tooLong.length > 0 ? 1 : 0);
