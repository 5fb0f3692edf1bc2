/** @file Which files `kb add` means: every argument a file or a folder, each file with its path relative to the argument. Reads no contents. */
import type { Dirent, Stats } from "node:fs";
import fs from "node:fs/promises";
import path from "node:path";
import { StarboxError } from "#base";

export type FoundFile = {
  /** What it is called in the knowledge base, with /. */
  readonly name: string;
  readonly filePath: string;
};

/** All arguments are checked before anything is added. Hidden files and folders are left out, except when named directly. */
export async function findFiles(args: readonly string[]): Promise<readonly FoundFile[]> {
  const kinds = await Promise.all(args.map(async (arg) => await fs.stat(arg).catch(() => null)));
  const missing = args.filter((_, i) => kinds[i] === null);
  if (missing.length > 0) {
    throw new StarboxError("not_found", `No such file or folder: ${missing.join(", ")}.`, {
      hint: "Nothing was added. Check the path.",
      zh: { message: `文件或文件夹不存在：${missing.join("，")}。`, hint: "未添加任何文件，请检查路径。" },
    });
  }
  const found: FoundFile[] = [];
  const taken = new Set<string>();
  for (const [i, arg] of args.entries()) {
    const full = path.resolve(arg);
    const names = kinds[i]!.isDirectory() ? await walk(full) : [""];
    for (const relative of names) {
      const plain = relative === "" ? path.basename(full) : relative.split(path.sep).join("/");
      // Two arguments may hold a file of the same name: the later one keeps its folder's name in front, or it would replace the first.
      const name = uniqueName(plain, path.basename(relative === "" ? path.dirname(full) : full), taken);
      taken.add(name);
      found.push({ name, filePath: relative === "" ? full : path.join(full, relative) });
    }
  }
  return found;
}

/** Throws `file_unreadable` for what this account cannot open, and for what is gone since it was found. */
export async function requireReadable(filePath: string): Promise<void> {
  try {
    const file = await fs.open(filePath, "r");
    const isFile = (await file.stat()).isFile();
    await file.close();
    if (!isFile) await fs.readdir(filePath);
  } catch (cause) {
    throw new StarboxError("file_unreadable", `${filePath} cannot be opened (${(cause as NodeJS.ErrnoException).code ?? String(cause)}).`, {
      hint: "Give this account the right to read it, then run the same command again.",
      zh: {
        message: `无法打开 ${filePath}（${(cause as NodeJS.ErrnoException).code ?? String(cause)}）。`,
        hint: "请授予当前账户读取权限，然后重新执行同一命令。",
      },
      cause,
    });
  }
}

function uniqueName(plain: string, folder: string, taken: ReadonlySet<string>): string {
  if (!taken.has(plain)) return plain;
  for (let i = 1; ; i++) {
    const name = `${folder}${i === 1 ? "" : `-${i}`}/${plain}`;
    if (!taken.has(name)) return name;
  }
}

/** Relative paths of the files below, sorted by name so that runs are alike. Links are followed once, and never out of the folder: a folder from elsewhere must not pull in this machine's own files. */
async function walk(top: string): Promise<string[]> {
  const files: string[] = [];
  const root = await fs.realpath(top);
  const visited = new Set<string>();
  const visit = async (relative: string): Promise<void> => {
    let entries: Dirent[];
    try {
      const real = await fs.realpath(path.join(top, relative));
      if (visited.has(real)) return;
      visited.add(real);
      entries = await fs.readdir(path.join(top, relative), { withFileTypes: true });
    } catch {
      files.push(relative); // cannot be opened: fails as one line of its own, and the rest goes on
      return;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
      if (entry.name.startsWith(".")) continue;
      const child = path.join(relative, entry.name);
      const kind = entry.isSymbolicLink() ? await linkedInside(root, path.join(top, child)) : entry;
      if (kind?.isDirectory() === true) await visit(child);
      else if (kind?.isFile() === true) files.push(child);
    }
  };
  await visit("");
  return files;
}

/** What a link leads to; null where it leads nowhere or out of the folder. */
async function linkedInside(root: string, link: string): Promise<Stats | null> {
  try {
    const target = await fs.realpath(link);
    return target.startsWith(`${root}${path.sep}`) ? await fs.stat(target) : null;
  } catch {
    return null;
  }
}
