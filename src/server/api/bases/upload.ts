/** @file Files in: one as raw bytes (PUT), several as a form (POST). Streamed to the knowledge service, never held in memory. */
import { Readable } from "node:stream";
import { ReadableStream as NodeStream } from "node:stream/web";
import { z } from "@hono/zod-openapi";
import busboy from "busboy";
import { StarboxError } from "#base";
import type { Actor, AddedFile } from "#contracts";
import type { ServerParts } from "../../context.ts";
import { invalid, readError } from "../../errors.ts";
import { type Api, define, list } from "../define.ts";
import { errorRecord } from "../documents/schema.ts";
import { addedFile } from "./schema.ts";

const tag = "knowledge";
const byId = z.object({ id: z.string() });
const idleMs = 60_000;

const outcome = z
  .object({ path: z.string(), documentId: z.string().optional(), changed: z.boolean().optional(), error: errorRecord.optional() })
  .openapi("UploadOutcome");

export function uploadRoutes(api: Api, parts: ServerParts): void {
  const { knowledge } = parts.services;
  define(
    api,
    parts,
    {
      method: "put",
      path: "/bases/{id}/files",
      id: "addFile",
      tag,
      summary: "Add a file, or a new version of it: the raw bytes",
      zh: "添加文件或其新版本：直接发送原始字节",
      description:
        "Answers when the bytes are safe on disk; reading goes on as a job. The same path again is a new version; the same bytes again cost nothing.",
      params: byId,
      query: z.object({
        path: z.string().min(1).max(1024).openapi({ description: "Path inside the base, with folders: 法规/劳动法.pdf" }),
        tags: z.string().optional().openapi({ description: "Comma-separated." }),
      }),
      rawBody: { required: true, content: { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } } },
      output: addedFile,
      status: 201,
    },
    async ({ actor, params, query, c, signal }) => {
      const limit = parts.settings.maxFileMb * 2 ** 20;
      if (Number(c.req.header("content-length") ?? 0) > limit) throw tooLarge(parts.settings.maxFileMb);
      const found = await knowledge.readBase(actor, params.id);
      const body = c.req.raw.body ?? new Blob([]).stream();
      const stream = limited(body, limit, parts.settings.maxFileMb, signal);
      const tags = query.tags
        ?.split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");
      return await knowledge.addFile(actor, found.id, { path: safePath(query.path), content: { stream }, ...(tags === undefined ? {} : { tags }) });
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/bases/{id}/files",
      id: "addFiles",
      tag,
      summary: "Add files as a form",
      zh: "用表单添加多个文件",
      description:
        "Every part with a file name is a file; its name (with folders) is its path. A file that is refused has its reason in its line; the others go on.",
      params: byId,
      rawBody: {
        required: true,
        content: { "multipart/form-data": { schema: z.object({ file: z.array(z.string().openapi({ format: "binary" })) }) } },
      },
      output: z.object({ items: list(outcome) }),
      status: 201,
    },
    async ({ actor, params, c, signal }) => {
      const type = c.req.header("content-type") ?? "";
      if (!type.toLowerCase().startsWith("multipart/form-data"))
        throw invalid(`Expected content-type multipart/form-data, got "${type}".`, "content-type 应为 multipart/form-data。");
      const found = await knowledge.readBase(actor, params.id);
      if (c.req.raw.body === null) throw invalid("The form is empty.", "表单为空。");
      return { items: await readForm(parts, actor, found.id, c.req.raw.body, type, signal) };
    },
  );
}

async function readForm(
  parts: ServerParts,
  actor: Actor,
  kbId: string,
  body: ReadableStream<Uint8Array>,
  type: string,
  signal: AbortSignal,
): Promise<z.input<typeof outcome>[]> {
  const limit = parts.settings.maxFileMb * 2 ** 20;
  const outcomes: Promise<z.input<typeof outcome>>[] = [];
  const add = async (path: string, stream: ReadableStream<Uint8Array>): Promise<AddedFile> =>
    await parts.services.knowledge.addFile(actor, kbId, { path: safePath(path), content: { stream } });
  const source = Readable.fromWeb(watched(body, signal) as Parameters<typeof Readable.fromWeb>[0]);
  await new Promise<void>((resolve, reject) => {
    let form: busboy.Busboy;
    try {
      form = busboy({
        headers: { "content-type": type },
        preservePath: true,
        defParamCharset: "utf8",
        limits: { fileSize: limit + 1, files: 10_000, fields: 100, fieldSize: 64 << 10, headerPairs: 50 },
      });
    } catch (error) {
      reject(invalid(`The form is not readable: ${(error as Error).message}.`, "无法读取表单。"));
      return;
    }
    form.on("file", (_name, file, info) => {
      const path = info.filename ?? "";
      outcomes.push(
        add(path, NodeStream.from(pieces(file, parts.settings.maxFileMb)) as ReadableStream<Uint8Array>).catch((error: unknown) => {
          file.resume(); // what is left of a refused file must be read past, or the form never ends
          return { path, error: readError(error, parts.logger, "upload") };
        }),
      );
    });
    form.on("close", resolve);
    form.on("error", (error) => reject(invalid(`The form is not readable: ${(error as Error).message}.`, "无法读取表单。")));
    source.on("error", (error) => {
      form.destroy(error);
      reject(error);
    });
    source.pipe(form);
  });
  return await Promise.all(outcomes);
}

/** A file that was cut at the limit ends with an error, never as if it were whole. Leaving early keeps the part readable. */
async function* pieces(file: Readable & { readonly truncated?: boolean }, limitMb: number): AsyncIterable<Uint8Array> {
  for await (const piece of file.iterator({ destroyOnReturn: false })) yield piece as Uint8Array;
  if (file.truncated === true) throw tooLarge(limitMb);
}

/** Ends with an error when the sender pauses too long or leaves. */
function watched(body: ReadableStream<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> {
  return limited(body, Number.POSITIVE_INFINITY, 0, signal);
}

function limited(body: ReadableStream<Uint8Array>, limitBytes: number, limitMb: number, signal: AbortSignal): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let size = 0;
  const fail = async (error: unknown): Promise<never> => {
    void reader.cancel().catch(() => undefined);
    throw error;
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let timer: NodeJS.Timeout | undefined;
        let onAbort: (() => void) | undefined;
        const stopped = new Promise<never>((_, reject) => {
          timer = setTimeout(
            () =>
              reject(
                new StarboxError("invalid_input", `The upload stood still for ${idleMs / 1000} seconds.`, {
                  hint: "Send it again.",
                  zh: { message: `上传停顿超过 ${idleMs / 1000} 秒。`, hint: "请重新上传。" },
                }),
              ),
            idleMs,
          );
          onAbort = () =>
            reject(new StarboxError("cancelled", "The sender left before the file was complete.", { zh: { message: "文件未传完，发送方已断开。" } }));
          if (signal.aborted) onAbort();
          signal.addEventListener("abort", onAbort, { once: true });
        });
        stopped.catch(() => undefined);
        try {
          const { done, value } = await Promise.race([reader.read(), stopped]);
          if (done) return controller.close();
          size += value.byteLength;
          if (size > limitBytes) throw tooLarge(limitMb);
          controller.enqueue(value);
        } catch (error) {
          await fail(error);
        } finally {
          clearTimeout(timer);
          if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
        }
      },
      cancel: async (reason) => await reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

const tooLarge = (limitMb: number): StarboxError =>
  new StarboxError("document_too_large", `The file is larger than ${limitMb} MB.`, {
    hint: "Split it, or raise STARBOX_MAX_FILE_MB.",
    zh: { message: `文件超过 ${limitMb} MB。`, hint: "请拆分文件，或调大 STARBOX_MAX_FILE_MB。" },
    details: { limitMb },
  });

/** A path inside a base: relative, no dots, no control characters; Windows separators become slashes. */
function safePath(raw: string): string {
  const path = raw
    .normalize("NFC")
    .replaceAll("\\", "/")
    .replace(/^(\.\/)+/, "");
  const segments = path.split("/");
  const bad =
    path === "" ||
    path.length > 1024 ||
    path.startsWith("/") ||
    /^[a-z]:/i.test(path) ||
    /[\u0000-\u001f\u007f]/.test(path) ||
    segments.some((part) => part === "" || part === "." || part === "..");
  if (!bad) return path;
  throw new StarboxError("path_unsafe", `"${raw.slice(0, 200)}" is not a path inside a knowledge base.`, {
    hint: "Use a relative path without . and .., such as 法规/劳动法.pdf.",
    zh: { message: `“${raw.slice(0, 200)}”不是知识库内的合法路径。`, hint: "请使用不含 . 和 .. 的相对路径，例如 法规/劳动法.pdf。" },
  });
}
