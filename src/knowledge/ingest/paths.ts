/** @file Names under which files are added: relative, tidy, harmless. */
import { StarboxError } from "#base";

const maxChars = 1000;

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
