/**
 * @file A Hugging Face folder opened for its weights: config.json, and model.safetensors or its shards with their index. Headers are read and checked at once,
 * tensors on demand. Hostile input until proven sound: lengths, offsets, overlaps, names of files.
 */
import fsp from "node:fs/promises";
import path from "node:path";
import { StarboxError } from "#base";

const elementBytes = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const;
export type SafetensorsElement = keyof typeof elementBytes;
export type FolderTensor = {
  readonly name: string;
  readonly element: SafetensorsElement;
  /** Outermost first. */
  readonly shape: readonly number[];
  readonly sizeBytes: number;
};
type Placed = FolderTensor & { readonly file: fsp.FileHandle; readonly position: number };
type Json = Readonly<Record<string, unknown>>;

const headerCeiling = 100 << 20;
const jsonCeiling = 64 << 20;

function invalid(where: string, what: string): StarboxError {
  return new StarboxError("model_invalid", `${where} is not a usable model: ${what}.`, {
    hint: "Download the folder again; every file of the model's repository is needed.",
    zh: { message: `${where} 不是可用的模型：${what}。`, hint: "请重新下载完整的模型文件夹。" },
  });
}

export async function readFolderJson(folder: string, name: string): Promise<Json | null> {
  const file = path.join(folder, name);
  let size: number;
  try {
    size = (await fsp.stat(file)).size;
  } catch {
    return null;
  }
  if (size > jsonCeiling) throw invalid(file, `it has ${size} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(await fsp.readFile(file, "utf8"));
  } catch (error) {
    throw invalid(file, (error as Error).message);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(file, "it holds no object");
  return value as Json;
}

export class SafetensorsFolder implements AsyncDisposable {
  readonly path: string;
  readonly config: Json;
  readonly tensors: ReadonlyMap<string, FolderTensor>;
  readonly #placed: ReadonlyMap<string, Placed>;
  readonly #files: readonly fsp.FileHandle[];

  private constructor(folder: string, config: Json, placed: ReadonlyMap<string, Placed>, files: readonly fsp.FileHandle[]) {
    this.path = folder;
    this.config = config;
    this.tensors = placed;
    this.#placed = placed;
    this.#files = files;
  }

  /** Throws model_invalid. The caller closes it. */
  static async open(folder: string): Promise<SafetensorsFolder> {
    const config = await readFolderJson(folder, "config.json");
    if (config === null) throw invalid(folder, "there is no config.json");
    const index = await readFolderJson(folder, "model.safetensors.index.json");
    const files: fsp.FileHandle[] = [];
    const placed = new Map<string, Placed>();
    try {
      if (index === null) await readHeader(path.join(folder, "model.safetensors"), files, placed);
      else await readShards(folder, index, files, placed);
      return new SafetensorsFolder(folder, config, placed, files);
    } catch (error) {
      for (const file of files) await file.close();
      throw error;
    }
  }

  /** The tensor's bytes, little-endian, as they lie in the file. */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const tensor = this.#placed.get(name);
    if (tensor === undefined) throw invalid(this.path, `it holds no tensor "${name}"`);
    const bytes = new Uint8Array(tensor.sizeBytes);
    for (let at = 0; at < bytes.byteLength; ) {
      const { bytesRead } = await tensor.file.read(bytes, at, Math.min(bytes.byteLength - at, 1 << 28), tensor.position + at);
      if (bytesRead === 0) throw invalid(this.path, `it ends inside the tensor "${name}"`);
      at += bytesRead;
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files) await file.close();
  }
}

async function readShards(folder: string, index: Json, files: fsp.FileHandle[], placed: Map<string, Placed>): Promise<void> {
  const where = path.join(folder, "model.safetensors.index.json");
  const map = index["weight_map"];
  if (typeof map !== "object" || map === null) throw invalid(where, "it has no weight_map");
  const entries = Object.entries(map as Json);
  const names = new Set(entries.map(([, file]) => file));
  for (const name of names) {
    if (typeof name !== "string" || !/^[\w.-]+\.safetensors$/.test(name) || name.startsWith("."))
      throw invalid(where, `it names the file ${JSON.stringify(name)}`);
    const found = new Map<string, Placed>();
    await readHeader(path.join(folder, name), files, found);
    for (const [tensor, place] of found) {
      if (placed.has(tensor)) throw invalid(where, `two shards hold "${tensor}"`);
      if ((map as Json)[tensor] !== name) throw invalid(where, `"${tensor}" lies in ${name}, the index says ${String((map as Json)[tensor])}`);
      placed.set(tensor, place);
    }
  }
  const missing = entries.find(([tensor]) => !placed.has(tensor));
  if (missing !== undefined) throw invalid(where, `${String(missing[1])} does not hold "${missing[0]}"`);
}

async function readHeader(where: string, files: fsp.FileHandle[], into: Map<string, Placed>): Promise<void> {
  const file = await fsp.open(where, "r").catch((cause: unknown) => {
    throw invalid(where, (cause as Error).message);
  });
  files.push(file);
  const { size } = await file.stat();
  const lengthBytes = Buffer.alloc(8);
  if (size < 8 || (await file.read(lengthBytes, 0, 8, 0)).bytesRead < 8) throw invalid(where, "it is shorter than its length field");
  const length = Number(lengthBytes.readBigUInt64LE());
  if (length > headerCeiling || 8 + length > size) throw invalid(where, `it claims a header of ${length} bytes, and has ${size}`);
  const text = Buffer.alloc(length);
  await file.read(text, 0, length, 8);
  let header: unknown;
  try {
    header = JSON.parse(text.toString("utf8"));
  } catch {
    throw invalid(where, "its header is no JSON");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw invalid(where, "its header is no object");
  const spans: { readonly name: string; readonly from: number; readonly to: number }[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { element, shape, from, to } = readEntry(where, name, entry);
    if (8 + length + to > size) throw invalid(where, `its tensor "${name}" reaches ${8 + length + to}, beyond its end at ${size}`);
    spans.push({ name, from, to });
    into.set(name, { name, element, shape, sizeBytes: to - from, file, position: 8 + length + from });
  }
  spans.sort((a, b) => a.from - b.from || a.to - b.to);
  let end = 0;
  for (const { name, from, to } of spans) {
    if (from !== end)
      throw invalid(where, from < end ? `its tensor "${name}" overlaps the one before` : `there is a hole before its tensor "${name}"`);
    end = to;
  }
  if (8 + length + end !== size) throw invalid(where, `its tensors end at ${8 + length + end}, the file at ${size}`);
}

function readEntry(where: string, name: string, entry: unknown) {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  const whole = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
  const bytes = typeof dtype === "string" && Object.hasOwn(elementBytes, dtype) ? elementBytes[dtype as SafetensorsElement] : undefined;
  if (bytes === undefined) throw invalid(where, `its tensor "${name}" is of type ${JSON.stringify(dtype)}`);
  if (!Array.isArray(shape) || shape.length > 8 || !shape.every(whole))
    throw invalid(where, `its tensor "${name}" has the shape ${JSON.stringify(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole))
    throw invalid(where, `its tensor "${name}" has the offsets ${JSON.stringify(offsets)}`);
  const [from, to] = offsets as [number, number];
  const wanted = shape.reduce<number>((product, size: number) => product * size, bytes);
  if (!Number.isSafeInteger(wanted) || to - from !== wanted)
    throw invalid(where, `its tensor "${name}" takes ${to - from} bytes; ${JSON.stringify(shape)} of ${String(dtype)} needs ${wanted}`);
  return { element: dtype as SafetensorsElement, shape: shape as readonly number[], from, to };
}
