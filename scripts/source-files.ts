/** @file The TypeScript files of the project, for gates that must prove they looked at all of them. */
import fs from "node:fs";
import path from "node:path";

export const projectRoot = path.dirname(import.meta.dirname);

/** Paths relative to the project, sorted. */
export function sourceFiles(folders: readonly string[]): string[] {
  const found: string[] = [];
  for (const folder of folders) {
    const full = path.join(projectRoot, folder);
    if (!fs.existsSync(full)) continue;
    for (const entry of fs.readdirSync(full, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.tsx?$/.test(entry.name)) continue;
      const file = path.relative(projectRoot, path.join(entry.parentPath, entry.name));
      if (!/(^|\/)(dist|node_modules|fixtures)\//.test(file)) found.push(file);
    }
  }
  return found.sort();
}
