/** @file The listening server around the app: address, time limits, an orderly end. */
import type { Server } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { createAdaptorServer } from "@hono/node-server";
import { type Logger, StarboxError } from "#base";
import type { Platform, Services } from "#contracts";
import { createApp } from "./app.ts";
import type { ServerSettings } from "./context.ts";
import type { Certificate } from "./self-made.ts";
import { keepFresh, loadCertificate } from "./tls.ts";

export type HttpServer = {
  /** Resolves to the address once requests are taken; throws port_in_use. */
  listen(): Promise<string>;
  /** Ends streams, waits a little for running requests, then closes. */
  close(): Promise<void>;
  /** http://host:port, once listening. */
  readonly url: string;
  /** Plain HTTP for this machine itself; the same port unless TLS is on. */
  readonly localPort: number | null;
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
  const build = (certificate: Certificate | null): Server => {
    const server = createAdaptorServer({
      fetch: app.fetch,
      ...(certificate === null ? {} : { createServer: createHttpsServer as never }),
      serverOptions: {
        ...(certificate === null ? {} : { ...certificate, minVersion: "TLSv1.2" as const }),
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
    return server;
  };
  const servers: Server[] = [];
  let stopLooking: () => void = () => undefined;
  let url = "";
  let local: number | null = null;
  const listenOn = async (server: Server, port: number, host: string): Promise<number> => {
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => reject(namedListenError(error, settings)));
      server.listen(port, host, resolve);
    });
    servers.push(server);
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  };
  return {
    get url() {
      return url;
    },
    get localPort() {
      return local;
    },
    async listen() {
      const tls = {
        data: settings.data ?? "",
        tls: settings.tls ?? "off",
        tlsCert: settings.tlsCert ?? "",
        tlsKey: settings.tlsKey ?? "",
        ...settings,
      };
      const certificate = await loadCertificate(tls, Date.now());
      const server = build(certificate);
      const port = await listenOn(server, settings.port, settings.host);
      local = port;
      if (certificate !== null) {
        stopLooking = keepFresh(server as unknown as HttpsServer, tls, certificate, logger);
        // The command line on this machine needs no certificate to trust.
        local = await listenOn(build(null), 0, "127.0.0.1");
      }
      const host = settings.host === "0.0.0.0" || settings.host === "::" ? "127.0.0.1" : settings.host;
      url = `${certificate === null ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
      return url;
    },
    async close() {
      closing.abort();
      stopLooking();
      const done = Promise.all(servers.map(async (server) => await new Promise<void>((resolve) => server.close(() => resolve()))));
      for (const server of servers) server.closeIdleConnections();
      const timer = setTimeout(() => {
        for (const server of servers) server.closeAllConnections();
      }, closeGraceMs);
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
