/** @file Sends a stored file as a download that no browser will run: strangers' bytes stay bytes. */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { StarboxError } from "#base";
import type { RequestContext } from "../../context.ts";

const fileHeaders = (name: string): Record<string, string> => ({
  "content-type": "application/octet-stream",
  "content-disposition": contentDisposition(name),
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
  "accept-ranges": "bytes",
  "cache-control": "private, no-cache",
});

export async function sendFile(
  c: RequestContext,
  file: { readonly filePath: string; readonly name: string; readonly sizeBytes: number },
): Promise<Response> {
  const headers = fileHeaders(file.name);
  const range = readRange(c.req.header("range"), file.sizeBytes);
  if (range === "unsatisfiable") return new Response(null, { status: 416, headers: { ...headers, "content-range": `bytes */${file.sizeBytes}` } });
  if (c.req.method === "HEAD" || file.sizeBytes === 0)
    return new Response(null, { headers: { ...headers, "content-length": String(file.sizeBytes) } });
  const { start, end } = range ?? { start: 0, end: file.sizeBytes - 1 };
  const stream = createReadStream(file.filePath, { start, end });
  await new Promise<void>((resolve, reject) => {
    stream.once("open", () => resolve());
    stream.once("error", () =>
      reject(
        new StarboxError("document_not_found", "The file's bytes are gone.", {
          hint: "Add the file again.",
          zh: { message: "文件内容已不存在。", hint: "请重新添加该文件。" },
        }),
      ),
    );
  });
  return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, {
    status: range === null ? 200 : 206,
    headers: {
      ...headers,
      "content-length": String(end - start + 1),
      ...(range === null ? {} : { "content-range": `bytes ${start}-${end}/${file.sizeBytes}` }),
    },
  });
}

/** ASCII name for old clients, UTF-8 name for all others; nothing in it can end the header. */
function contentDisposition(path: string): string {
  const name = path.split("/").pop() ?? "file";
  const plain = name.replace(/[^\x20-\x7e]|["\\%;]/g, "_");
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** One range; several, or nonsense, mean the whole file. */
function readRange(header: string | undefined, size: number): { readonly start: number; readonly end: number } | null | "unsatisfiable" {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (found === null || (found[1] === "" && found[2] === "")) return null;
  const start = found[1] === "" ? Math.max(0, size - Number(found[2])) : Number(found[1]);
  const end = found[1] === "" || found[2] === "" ? size - 1 : Math.min(Number(found[2]), size - 1);
  return start >= size || end < start ? "unsatisfiable" : { start, end };
}
