/** @file Ceilings that every parser keeps, and the one way to make a document error. Knows no format. */
import { type ErrorCode, StarboxError } from "#base";

export type ParseLimits = {
  /** The file itself. */
  readonly maxBytes: number;
  /** Everything unpacked from one file (ZIP members, Office parts), all levels together. */
  readonly maxUnpackedBytes: number;
  /** One member unpacked; beyond `freeUnpackedBytes` it may not have grown more than `maxRatio` times. */
  readonly maxRatio: number;
  readonly freeUnpackedBytes: number;
  readonly maxEntries: number;
  /** Archive in archive in mail, and so on. */
  readonly maxDepth: number;
  readonly maxTextChars: number;
  readonly maxPages: number;
  /** How deep the file being parsed already lies in others. */
  readonly depth: number;
};

const MiB = 1024 * 1024;

export const defaultLimits: ParseLimits = {
  maxBytes: 256 * MiB,
  maxUnpackedBytes: 384 * MiB,
  maxRatio: 200,
  freeUnpackedBytes: 16 * MiB,
  maxEntries: 20_000,
  maxDepth: 4,
  maxTextChars: 40_000_000,
  maxPages: 20_000,
  depth: 0,
};

type Told = { readonly message: string; readonly hint: string };

/** Both languages always, so that no file ever fails with a bare code. */
export function documentError(code: ErrorCode, en: Told, zh: Told, cause?: unknown): StarboxError {
  return new StarboxError(code, en.message, { hint: en.hint, zh, ...(cause === undefined ? {} : { cause }) });
}

export function corruptError(what: string, whatZh: string, cause?: unknown): StarboxError {
  return documentError(
    "document_corrupt",
    { message: `The file is damaged: ${what}.`, hint: "Open it in the program that made it and save it again, or ask for a fresh copy." },
    { message: `文件已损坏：${whatZh}。`, hint: "请用原来的软件打开并重新保存，或重新获取一份。" },
    cause,
  );
}

export function passwordError(format: string): StarboxError {
  return documentError(
    "document_password",
    { message: `The ${format} file is protected by a password.`, hint: "Remove the password (save a copy without it) and add the file again." },
    { message: `该 ${format} 文件有密码保护。`, hint: "请去掉密码另存一份，再重新添加。" },
  );
}

export function bombError(what: string, whatZh: string): StarboxError {
  return documentError(
    "document_bomb",
    { message: `The file unpacks to far more than it should: ${what}.`, hint: "If you trust it, unpack it yourself and add the files one by one." },
    { message: `文件解压后体积异常：${whatZh}。`, hint: "如确认可信，请自行解压后逐个添加。" },
  );
}

export function tooLargeError(what: string, whatZh: string): StarboxError {
  return documentError(
    "document_too_large",
    { message: `The file is too large: ${what}.`, hint: "Split it into smaller files and add those." },
    { message: `文件过大：${whatZh}。`, hint: "请拆分成较小的文件后再添加。" },
  );
}
