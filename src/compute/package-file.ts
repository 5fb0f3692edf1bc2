/** @file Files beside the source that belong to this package (native sources, scripts): found from the source tree and from the built package alike. */
import fs from "node:fs";

/** The nearest folder above this file that holds `name`, a path inside the package. */
export function packageFile(name: string): URL {
  for (let folder = new URL("./", import.meta.url); ; folder = new URL("../", folder)) {
    const file = new URL(name, folder);
    if (fs.existsSync(file)) return file;
    if (folder.pathname === new URL("../", folder).pathname) throw new Error(`${name} is not in this package: it was installed in part.`);
  }
}
