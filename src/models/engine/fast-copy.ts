/** @file A copy of a model's file that this processor multiplies faster, same weights bit for bit. Made once, beside the model; the model works without it. */
import { existsSync, readFileSync } from "node:fs";
import { rename, rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { widenQ5 } from "#formats";

/** Where int8 matrix units were measured to win (docs/lab.md): prompts 2.7 times, answers 1.3 times as fast. */
function hasInt8Matrix(): boolean {
  try {
    return /^flags\s*:.*\bamx_int8\b/m.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return false;
  }
}

/** The path to load: the fast copy where there is one or one can be made, else the file itself. Never fails. */
export async function preferFastCopy(filePath: string, fastPath: string): Promise<string> {
  if (existsSync(fastPath)) return fastPath;
  if (!hasInt8Matrix()) return filePath;
  const draft = `${fastPath}.${process.pid}`;
  try {
    const { size } = await stat(filePath);
    const { bavail, bsize } = await statfs(path.dirname(fastPath));
    if (bavail * bsize < size * 2 + 2 ** 30) return filePath; // speed is not worth a full disk
    if (!(await widenQ5(filePath, draft))) return filePath;
    await rename(draft, fastPath);
    return fastPath;
  } catch {
    return filePath;
  } finally {
    await rm(draft, { force: true });
  }
}
