/** @file The passphrase of backups: the first line of a file only the operator can read. Never a setting, which other processes could see. */
import fs from "node:fs";
import { StarboxError } from "#base";

/** "": not encrypted. */
export function readPassphrase(file: string): string | null {
  if (file === "") return null;
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8").split("\n")[0]?.trim() ?? "";
  } catch (error) {
    throw new StarboxError("file_unreadable", `The file with the backups' passphrase cannot be read: ${(error as Error).message}.`, {
      hint: "Check STARBOX_BACKUP_KEY_FILE or --key-file.",
      zh: { message: `无法读取备份口令文件：${(error as Error).message}。`, hint: "请检查 STARBOX_BACKUP_KEY_FILE 或 --key-file。" },
    });
  }
  if (text.length >= 12) return text;
  throw new StarboxError("invalid_input", `The passphrase in ${file} has ${text.length} characters; at least 12 are needed.`, {
    hint: "openssl rand -base64 24 > FILE makes a good one. Keep a copy elsewhere: without it no backup can be read.",
    zh: {
      message: `${file} 中的口令只有 ${text.length} 个字符，至少需要 12 个。`,
      hint: "可用 openssl rand -base64 24 > 文件 生成。请另存一份：丢失口令将无法读取任何备份。",
    },
  });
}
