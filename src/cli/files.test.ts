/** @file Which files of a folder are meant: links stay inside it. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { findFiles } from "./files.ts";

test("links inside the folder are followed, links out of it are not, loops end", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-files-"));
  try {
    fs.mkdirSync(path.join(folder, "docs/sub"), { recursive: true });
    fs.writeFileSync(path.join(folder, "secret.txt"), "outside");
    fs.writeFileSync(path.join(folder, "docs/sub/a.txt"), "a");
    fs.symlinkSync(path.join(folder, "secret.txt"), path.join(folder, "docs/out.txt"));
    fs.symlinkSync(path.join(folder, "docs/sub/a.txt"), path.join(folder, "docs/in.txt"));
    fs.symlinkSync(path.join(folder, "docs"), path.join(folder, "docs/sub/loop"));
    fs.symlinkSync("/nowhere", path.join(folder, "docs/broken"));
    const found = await findFiles([path.join(folder, "docs")]);
    expect(found.map((file) => file.name).sort()).toEqual(["in.txt", "sub/a.txt"]);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
