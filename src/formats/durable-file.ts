/** @file Writes a file whole or not at all: beside its place, synced, moved, the folder synced. */
import fs from "node:fs/promises";
import path from "node:path";

export async function writeDurable(file: string, bytes: Uint8Array | string): Promise<void> {
  const draft = `${file}.new`;
  const handle = await fs.open(draft, "w");
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(draft, file);
  const folder = await fs.open(path.dirname(file), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
