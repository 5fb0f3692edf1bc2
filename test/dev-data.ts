/** @file Where public development data lies (never committed). Tests that need it are skipped, with the reason printed, where it is missing. */
import fs from "node:fs";
import path from "node:path";

export const devDataFolder = path.resolve(process.env["STARBOX_DEV_DATA"] ?? path.join(import.meta.dirname, "../../shared/data"));

/** The path of a file or folder of development data, or null. */
export function devData(name: string): string | null {
  const found = path.join(devDataFolder, name);
  return fs.existsSync(found) ? found : null;
}
