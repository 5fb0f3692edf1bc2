/** @file Reads a GGUF file's header as hostile input: every count and length is bounded by what the file can hold. Reads no weights. Spec: ggml's gguf.md, version 2 and 3. */
import fsp from "node:fs/promises";
import { StarboxError } from "#base";
import { GgufCursor } from "./gguf-cursor.ts";

export type GgufHeader = {
  readonly version: number;
  readonly tensorCount: number;
  /** Scalars and strings; of arrays only the length. */
  readonly metadata: ReadonlyMap<string, string | number | boolean | { readonly arrayLength: number }>;
};

export const headerCeiling = 256 << 20;
export function invalidGguf(filePath: string, what: string): StarboxError {
  return new StarboxError("model_invalid", `${filePath}: expected a GGUF file, ${what}.`, {
    hint: "Take a .gguf file of a llama.cpp-compatible model, and copy it again if it was cut.",
    zh: { message: `${filePath} 不是有效的 GGUF 文件（${what}）。`, hint: "请使用 llama.cpp 兼容的 .gguf 文件；如拷贝不完整请重新拷贝。" },
  });
}

/** Throws model_invalid, also for a file that was cut in the middle of its tensors. */
export async function loadGgufHeader(filePath: string, calledInErrors = filePath): Promise<GgufHeader> {
  const file = await fsp.open(filePath, "r");
  try {
    const { size } = await file.stat();
    const cursor = new GgufCursor(file, Math.min(size, headerCeiling), (what) => invalidGguf(calledInErrors, what));
    if ((await cursor.bytes(4)).toString("latin1") !== "GGUF") throw invalidGguf(calledInErrors, "got other magic bytes");
    const version = (await cursor.bytes(4)).readUInt32LE();
    if (version !== 2 && version !== 3) throw invalidGguf(calledInErrors, `got version ${version}, not 2 or 3`);
    const tensorCount = await cursor.count();
    const pairs = await cursor.count();
    const metadata = new Map<string, string | number | boolean | { readonly arrayLength: number }>();
    for (let i = 0; i < pairs; i++) {
      const key = await cursor.text();
      metadata.set(key, await cursor.value((await cursor.bytes(4)).readUInt32LE()));
    }
    // A tensor's entry takes at least 24 bytes and its data at least one.
    if (tensorCount * 25 > size) throw invalidGguf(calledInErrors, `it claims ${tensorCount} tensors in ${size} bytes`);
    const end = (await cursor.tensors(tensorCount)).reduce((last, { offset, sizeBytes }) => Math.max(last, offset + sizeBytes), 0);
    const alignment = metadata.get("general.alignment");
    const start =
      typeof alignment === "number" && alignment > 0 ? Math.ceil(cursor.position / alignment) * alignment : Math.ceil(cursor.position / 32) * 32;
    if (tensorCount > 0 && start + end > size) throw invalidGguf(calledInErrors, `its tensors need ${start + end} bytes and it has ${size}`);
    return { version, tensorCount, metadata };
  } finally {
    await file.close();
  }
}
