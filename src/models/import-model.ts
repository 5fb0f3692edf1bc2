/** @file A model file brought by hand (disk, USB) becomes a model of the box. The file itself stays where it was. */
import fs from "node:fs";
import fsp from "node:fs/promises";
import path from "node:path";
import { StarboxError } from "#base";
import { convertE5s1ToGguf, type GgufHeader, loadGgufHeader } from "#formats";
import type { Catalogue, ModelEntry } from "./catalogue.ts";
import { hashFile, type ModelManifest, type ModelStore } from "./model-store.ts";

const encoders = new Set(["bert", "nomic-bert", "jina-bert-v2", "gemma-embedding"]);
const rerankPooling = 4; // LLAMA_POOLING_TYPE_RANK

/** Known bytes take their catalogue entry's id; others the given one or the file's name. Throws model_invalid, not_found, disk_full. */
export async function importModel(store: ModelStore, catalogue: Catalogue, filePath: string, id?: string): Promise<ModelManifest> {
  const source = path.resolve(filePath);
  if (!fs.existsSync(source)) {
    throw new StarboxError("not_found", `No file ${source}.`, {
      hint: "Give the path of a .gguf file.",
      zh: { message: `找不到文件 ${source}。`, hint: "请给出 .gguf 文件的路径。" },
    });
  }
  const work = path.join(store.folder, "pulling");
  await fsp.mkdir(work, { recursive: true });
  const copy = path.join(work, `import-${process.pid}-${Date.now()}`);
  try {
    await copyInto(source, copy);
    const sourceHash = await hashFile(copy);
    const maker = catalogue.models.find((entry) => entry.made?.sha256 === sourceHash);
    if (maker !== undefined) return await importPacked(store, maker, copy, source, sourceHash);
    const header = await loadGgufHeader(copy, source);
    const known = catalogue.models.find((entry) => entry.sha256 === sourceHash);
    const about = describe(header);
    return await store.add(copy, {
      id: known?.id ?? id ?? idOf(source),
      kind: known?.kind ?? about.kind,
      sha256: sourceHash,
      sizeBytes: fs.statSync(copy).size,
      source: `import:${source}`,
      madeFromSha256: null,
      name: known?.name ?? about.name ?? path.basename(source),
      family: known?.family ?? about.family,
      contextTokens: known?.contextTokens ?? about.contextTokens,
      dimensions: known?.dimensions ?? about.dimensions,
    });
  } finally {
    await fsp.rm(copy, { force: true });
  }
}

async function importPacked(store: ModelStore, entry: ModelEntry, copy: string, source: string, sourceHash: string): Promise<ModelManifest> {
  const made = `${copy}.gguf`;
  await convertE5s1ToGguf(copy, made, { name: entry.name });
  return await store.add(made, {
    id: entry.id,
    kind: entry.kind,
    sha256: await hashFile(made),
    sizeBytes: fs.statSync(made).size,
    source: `import:${source}`,
    madeFromSha256: sourceHash,
    name: entry.name,
    family: entry.family,
    contextTokens: entry.contextTokens,
    dimensions: entry.dimensions ?? null,
  });
}

/** A hard link costs nothing but would share later changes with a file we do not own: a copy-on-write clone where the disk can, else a copy. */
async function copyInto(source: string, target: string): Promise<void> {
  try {
    await fsp.copyFile(source, target, fs.constants.COPYFILE_FICLONE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    throw new StarboxError("disk_full", `No room to copy ${source} into ${path.dirname(target)}.`, {
      hint: "Free some space or choose another data folder (--data).",
      zh: { message: `磁盘空间不足，无法把 ${source} 拷入 ${path.dirname(target)}。`, hint: "请清理磁盘或用 --data 更换数据文件夹。" },
      cause: error,
    });
  }
}

const idOf = (filePath: string): string =>
  path
    .basename(filePath)
    .replace(/\.gguf$/i, "")
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "") || "model";

function describe({ metadata }: GgufHeader) {
  const family = String(metadata.get("general.architecture") ?? "unknown");
  const number = (key: string): number | null => {
    const found = metadata.get(`${family}.${key}`);
    return typeof found === "number" ? found : null;
  };
  const name = metadata.get("general.name");
  const pooling = number("pooling_type");
  const kind: ModelManifest["kind"] = pooling === rerankPooling ? "reranker" : encoders.has(family) || pooling !== null ? "embedding" : "language";
  return {
    family,
    kind,
    name: typeof name === "string" && name !== "" ? name : null,
    contextTokens: number("context_length"),
    dimensions: kind === "embedding" ? number("embedding_length") : null,
  };
}
