/** @file Request bodies: JSON within a size and a time, checked by a schema. Uploads are elsewhere. */
import type { z } from "@hono/zod-openapi";
import { StarboxError } from "#base";
import type { RequestContext } from "./context.ts";
import { invalid } from "./errors.ts";

const readTimeoutMs = 60_000;

/** The bytes of a body; a sender slower than the time limit or larger than `maxBytes` is cut off. */
async function readBytes(c: RequestContext, maxBytes: number): Promise<Buffer> {
  const tooLarge = (): StarboxError =>
    new StarboxError("too_large", `The request's body is larger than ${maxBytes} bytes.`, {
      hint: "Send less at once; files go to PUT /api/bases/{id}/files.",
      zh: { message: `请求内容超过 ${maxBytes} 字节。`, hint: "请分次发送；文件请用 PUT /api/bases/{id}/files 上传。" },
    });
  if (Number(c.req.header("content-length") ?? 0) > maxBytes) throw tooLarge();
  const body = c.req.raw.body;
  if (body === null) return Buffer.alloc(0);
  const reader = body.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  const timer = setTimeout(() => void reader.cancel().catch(() => undefined), readTimeoutMs);
  const started = Date.now();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (Date.now() - started >= readTimeoutMs)
        throw invalid(`The request's body did not arrive within ${readTimeoutMs / 1000} seconds.`, `请求内容未在 ${readTimeoutMs / 1000} 秒内传完。`);
      if (done) return Buffer.concat(parts);
      size += value.byteLength;
      if (size > maxBytes) {
        await reader.cancel().catch(() => undefined);
        throw tooLarge();
      }
      parts.push(value);
    }
  } finally {
    clearTimeout(timer);
  }
}

export async function readJson(c: RequestContext, maxBytes: number): Promise<unknown> {
  const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const bytes = await readBytes(c, maxBytes);
  if (bytes.byteLength === 0) return {};
  // Only JSON: a form or text/plain could be sent by any web page without asking first.
  if (type !== "application/json" && !type.endsWith("+json"))
    throw invalid(
      `Expected content-type application/json, got ${type === "" ? "none" : `"${type}"`}.`,
      "请求的 content-type 应为 application/json。",
    );
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    throw invalid(`The body is not valid JSON: ${(error as Error).message}.`, "请求内容不是合法的 JSON。");
  }
}

/** What is wrong with a value and where, first problem first. */
export function describeProblems(error: z.ZodError): {
  readonly message: string;
  readonly path: string;
  readonly problems: readonly { readonly path: string; readonly message: string }[];
} {
  const problems = error.issues.slice(0, 20).map((issue) => ({ path: issue.path.join("."), message: issue.message }));
  const first = problems[0] ?? { path: "", message: "invalid" };
  return { message: first.path === "" ? first.message : `${first.path}: ${first.message}`, path: first.path, problems };
}

export function parseWith<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { message, problems } = describeProblems(result.error);
  throw invalid(`${what}: ${message}.`, `${what}有误：${message}。`, { problems });
}

export type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The same object without the keys that are undefined. */
export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Defined<T>;
}
