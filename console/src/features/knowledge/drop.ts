/** @file Files and whole folders out of a drop or a picker, with their paths; hidden files left out. */
import type { PickedFile } from "./upload-queue.ts";

const hidden = (path: string): boolean => path.split("/").some((part) => part.startsWith(".") || part === "Thumbs.db" || part === "__MACOSX");

export function pickedFiles(list: FileList | null): readonly PickedFile[] {
  return [...(list ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file })).filter(({ path }) => !hidden(path));
}

export async function droppedFiles(data: DataTransfer): Promise<readonly PickedFile[]> {
  // Entries must be taken before the first await; the list is emptied after the event.
  const entries = [...data.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.length === 0) return pickedFiles(data.files);
  const files = await Promise.all(entries.map((entry) => walk(entry)));
  return files.flat().filter(({ path }) => !hidden(path));
}

async function walk(entry: FileSystemEntry): Promise<PickedFile[]> {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) return [{ path, file: await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)) }];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: PickedFile[] = [];
  for (;;) {
    // A reader hands out at most a hundred entries a call.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return found;
    for (const child of batch) found.push(...(await walk(child)));
  }
}
