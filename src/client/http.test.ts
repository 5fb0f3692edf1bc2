/** @file The client's transport: events however the bytes are cut, errors as the box wrote them, and what is not the box. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ClientError, createClient, readEvents } from "./index.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function eventsOf(parts: readonly Uint8Array[]): Promise<string[]> {
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
  const found: string[] = [];
  for await (const data of readEvents(stream)) found.push(data);
  return found;
}

test("events are the same wherever the bytes are cut, even inside a character or a line end", async () => {
  const wire = bytes(': wait\r\n\r\ndata: {"text":"试用期"}\r\n\r\nevent: part\ndata: a\ndata: b\n\ndata:last');
  const whole = ['{"text":"试用期"}', "a\nb", "last"];
  expect(await eventsOf([wire])).toEqual(whole);
  for (let at = 1; at < wire.length; at++) expect(await eventsOf([wire.slice(0, at), wire.slice(at)]), `cut at ${at}`).toEqual(whole);
});

let server: Server | undefined;
afterEach(() => void server?.close());

async function serve(status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
  server = createServer((_, response) => response.writeHead(status, headers).end(body));
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function errorOf(work: Promise<unknown>): Promise<ClientError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

test("an error of the box keeps its code, hint and Chinese words", async () => {
  const record = { code: "kb_not_found", message: "No base.", hint: "List them.", zh: { message: "没有。" }, details: {} };
  const error = await errorOf(createClient({ baseUrl: await serve(404, JSON.stringify({ error: record })) }).knowledge.readBase("人事"));
  expect([error.status, error.code, error.record]).toEqual([404, "kb_not_found", record]);
});

test("an answer that is not the box's is named with its status; no answer is box_unreachable", async () => {
  const proxy = await errorOf(createClient({ baseUrl: await serve(502, "<html>bad gateway</html>") }).models.list());
  expect([proxy.status, proxy.code]).toEqual([502, "internal"]);
  expect(proxy.message).toContain("502");
  const nobody = await errorOf(createClient({ baseUrl: "http://127.0.0.1:9" }).models.list());
  expect([nobody.status, nobody.code]).toEqual([0, "box_unreachable"]);
});

test("names are escaped into one path segment, the key is sent as bearer", async () => {
  let seen = "";
  server = createServer((request, response) => {
    seen = `${request.method} ${request.url} ${request.headers.authorization}`;
    response.end("{}");
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  await createClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, key: "sb-1" }).knowledge.readBase("a/../b 法");
  expect(seen).toBe("GET /api/bases/a%2F..%2Fb%20%E6%B3%95 Bearer sb-1");
});

test("leaving the loop early closes the connection", async () => {
  let closed: () => void = () => undefined;
  const left = new Promise<void>((resolve) => (closed = resolve));
  server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write('data: {"type":"text-delta","text":"a"}\n\n');
    request.on("close", closed);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const client = createClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  for await (const part of client.chats.ask("c", { content: "?" })) {
    expect(part).toEqual({ type: "text-delta", text: "a" });
    break;
  }
  await left;
});
