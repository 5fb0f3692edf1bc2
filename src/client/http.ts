/** @file One request to a box over HTTP, in a browser or in Node: JSON, uploads, server-sent events, errors. Knows no route. */
import type { ErrorRecord } from "#base";

export type ClientOptions = {
  /** "" in a browser (same origin); `http://127.0.0.1:8480` elsewhere. */
  readonly baseUrl: string;
  /** `sb-…` or the operator's token. In a browser the session cookie serves. */
  readonly key?: string;
  readonly fetch?: typeof globalThis.fetch;
};

/** What the box answered when it could not do it: the same record it keeps, and the HTTP status (0: the box could not be reached). */
export class ClientError extends Error {
  readonly status: number;
  readonly record: ErrorRecord;

  constructor(status: number, record: ErrorRecord) {
    super(record.message);
    this.name = "ClientError";
    this.status = status;
    this.record = record;
  }

  get code(): string {
    return this.record.code;
  }
}

export type RequestOptions = {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly json?: unknown;
  readonly body?: RequestInit["body"];
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

export type Http = {
  send(method: string, path: string, options?: RequestOptions): Promise<Response>;
  json<T>(method: string, path: string, options?: RequestOptions): Promise<T>;
  events<T>(method: string, path: string, options?: RequestOptions): AsyncIterable<T>;
  url(path: string, query?: RequestOptions["query"]): string;
};

export function createHttp(options: ClientOptions): Http {
  const base = options.baseUrl.replace(/\/+$/, "");
  const doFetch = options.fetch ?? ((input: string, init?: RequestInit) => globalThis.fetch(input, init));

  function url(path: string, query: RequestOptions["query"] = {}): string {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value));
    return `${base}${path}${search.size > 0 ? `?${search}` : ""}`;
  }

  async function send(method: string, path: string, request: RequestOptions = {}): Promise<Response> {
    const headers = new Headers(request.headers);
    if (options.key !== undefined && options.key !== "") headers.set("authorization", `Bearer ${options.key}`);
    if (request.json !== undefined) headers.set("content-type", "application/json");
    const body = request.json === undefined ? request.body : JSON.stringify(request.json);
    const streamed = typeof ReadableStream !== "undefined" && body instanceof ReadableStream;
    let response: Response;
    try {
      response = await doFetch(url(path, request.query), {
        method,
        headers,
        credentials: "same-origin",
        ...(body === undefined || body === null ? {} : { body }),
        ...(streamed ? { duplex: "half" as const } : {}),
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      });
    } catch (error) {
      if (request.signal?.aborted === true) throw error;
      throw unreachable(base, error);
    }
    if (!response.ok) throw await readError(response);
    return response;
  }

  return {
    send,
    url,
    async json<T>(method: string, path: string, request: RequestOptions = {}): Promise<T> {
      const response = await send(method, path, request);
      const text = await response.text();
      return (text === "" ? undefined : JSON.parse(text)) as T;
    },
    async *events<T>(method: string, path: string, request: RequestOptions = {}) {
      const response = await send(method, path, { ...request, headers: { accept: "text/event-stream", ...request.headers } });
      if (response.body === null) return;
      for await (const data of readEvents(response.body)) {
        if (data === "[DONE]") return;
        yield JSON.parse(data) as T;
      }
    },
  };
}

/** The `data` of each server-sent event; comments (keep-alive) are skipped. Leaving the loop early closes the connection. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncIterable<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      // A lone \r at the end may be half of \r\n: wait for the next bytes.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = done ? "" : (lines.pop() ?? "");
      for (const line of lines) {
        if (line.startsWith("data:")) data.push(line.slice(line.charAt(5) === " " ? 6 : 5));
        else if (line === "" && data.length > 0) {
          yield data.join("\n");
          data = [];
        }
      }
      if (done) {
        if (data.length > 0) yield data.join("\n");
        return;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function readError(response: Response): Promise<ClientError> {
  const text = await response.text().catch(() => "");
  try {
    const parsed = JSON.parse(text) as { error?: ErrorRecord };
    if (typeof parsed.error?.message === "string" && typeof parsed.error.code === "string") return new ClientError(response.status, parsed.error);
  } catch {
    // Not our JSON: a proxy in between, or a box of another version. Told below.
  }
  const found = text.slice(0, 200);
  return new ClientError(response.status, {
    code: "internal",
    message: `Expected an answer of the box, got HTTP ${response.status}${found === "" ? "" : ` with "${found}"`}.`,
    zh: { message: `本应得到星匣的回应，却收到 HTTP ${response.status}。` },
  });
}

function unreachable(base: string, cause: unknown): ClientError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const where = base === "" ? "this address" : base;
  return new ClientError(0, {
    code: "box_unreachable",
    message: `The box at ${where} did not answer (${reason}).`,
    hint: "Check that it runs (npm start) and that the address is right; then try again.",
    zh: { message: `星匣没有回应（${base === "" ? "当前地址" : base}）。`, hint: "请确认它正在运行（npm start）、地址无误，然后重试。" },
  });
}
