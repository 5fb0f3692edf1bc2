/** @file Names under which files are added: relative, tidy, harmless. */
import { StarboxError } from "#base";

const maxChars = 1000;
/** Direction overrides, isolates, zero-width blanks and marks: a name must be what it looks like. Joiners that scripts and emoji need stay. */
export const tricky = /[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/;

/** `a/b.md`; throws `path_unsafe` for what would lead outside or cannot be a name. */
export function cleanPath(raw: string): string {
  const parts = raw
    .replaceAll("\\", "/")
    .split("/")
    .filter((part) => part !== "" && part !== ".");
  const path = parts.join("/");
  const reason =
    path === ""
      ? "it is empty"
      : parts.includes("..")
        ? `".." leads outside`
        : /\p{Cc}/u.test(path)
          ? "it holds control characters"
          : tricky.test(path)
            ? "it holds characters that turn or hide others"
            : path.length > maxChars
              ? `it is longer than ${maxChars} characters`
              : null;
  if (reason === null) return path;
  throw new StarboxError("path_unsafe", `The path ${JSON.stringify(raw.slice(0, 120))} cannot be used: ${reason}.`, {
    hint: "Give a path relative to the folder that is added, such as contracts/2024.md.",
    zh: { message: `路径 ${JSON.stringify(raw.slice(0, 120))} 不可用。`, hint: "请使用相对路径，例如 合同/2024.md。" },
  });
}

export const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));
export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** The name without its extension. */
export function stemOf(path: string): string {
  const name = nameOf(path);
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(0, dot) : name;
}

export function typeOf(path: string): string {
  const name = nameOf(path);
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(dot + 1).toLowerCase() : "";
}
