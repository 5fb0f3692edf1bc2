/** @file The listening server around the app: address, time limits, an orderly end. */
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { type Logger, StarboxError } from "#base";
import type { Platform, Services } from "#contracts";
import { createApp } from "./app.ts";
import type { ServerSettings } from "./context.ts";

export type HttpServer = {
  /** Resolves to the address once requests are taken; throws port_in_use. */
  listen(): Promise<string>;
  /** Ends streams, waits a little for running requests, then closes. */
  close(): Promise<void>;
  /** http://host:port, once listening. */
  readonly url: string;
};

export type ServerOptions = { readonly consoleFolder?: string; readonly version?: string };

const closeGraceMs = 2000;

export function createServer(
  services: Services,
  platform: Platform,
  settings: ServerSettings,
  logger: Logger,
  options: ServerOptions = {},
): HttpServer {
  const closing = new AbortController();
  const app = createApp({
    services,
    platform,
    settings,
    logger,
    consoleFolder: options.consoleFolder ?? null,
    version: options.version ?? "0.0.0",
    closing: closing.signal,
  });
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      // Slow senders: 15 s for the head, an hour for a large upload's body (which also has its own idle limit).
      headersTimeout: 15_000,
      requestTimeout: 3_600_000,
      connectionsCheckingInterval: 5000,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16 << 10,
    },
  }) as Server;
  server.maxHeadersCount = 100;
  server.maxConnections = 2000;
  let url = "";
  return {
    get url() {
      return url;
    },
    async listen() {
      await new Promise<void>((resolve, reject) => {
        server.once("error", (error: NodeJS.ErrnoException) => reject(namedListenError(error, settings)));
        server.listen(settings.port, settings.host, resolve);
      });
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : settings.port;
      const host = settings.host === "0.0.0.0" || settings.host === "::" ? "127.0.0.1" : settings.host;
      url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
      return url;
    },
    async close() {
      closing.abort();
      const done = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), closeGraceMs);
      await done;
      clearTimeout(timer);
    },
  };
}

function namedListenError(error: NodeJS.ErrnoException, settings: ServerSettings): Error {
  const where = `${settings.host}:${settings.port}`;
  if (error.code === "EADDRINUSE") {
    return new StarboxError("port_in_use", `Another program listens on ${where}.`, {
      hint: "Choose another port with --port, or end that program.",
      zh: { message: `${where} 已被其他程序占用。`, hint: "请用 --port 换一个端口，或结束占用它的程序。" },
      cause: error,
    });
  }
  return new StarboxError("settings_invalid", `Cannot listen on ${where}: ${error.message}.`, {
    hint: "Check --host and --port.",
    zh: { message: `无法监听 ${where}：${error.message}。`, hint: "请检查 --host 和 --port。" },
    cause: error,
  });
}
