/** @file The whole HTTP surface as one Hono app, without a port: tests call it with request(). */
import { Hono } from "hono";
import { etag } from "hono/etag";
import { toErrorRecord } from "#base";
import { apiRoutes } from "./api/index.ts";
import { needAdministrator, type RequestContext, readCredentials, type ServerEnv, type ServerParts } from "./context.ts";
import { errorHeaders, errorStatus, noRoute, presentError, readError, unauthorized } from "./errors.ts";
import { createHttpMetrics } from "./http-metrics.ts";
import { presentOpenaiError } from "./openai/errors.ts";
import { openaiRoutes } from "./openai/routes.ts";
import { pageSite } from "./page/serve.ts";
import { identify, securityHeaders } from "./security.ts";
import { staticRoutes } from "./static.ts";
import { traceRequests } from "./trace.ts";

export function createApp(parts: ServerParts): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>();
  const fail = (c: RequestContext, error: unknown): Response => {
    const record = readError(error, parts.logger, `${c.req.method} ${c.get("route") ?? new URL(c.req.url).pathname}`);
    const body = c.req.path.startsWith("/v1/") ? presentOpenaiError(record) : presentError(record);
    return c.json(body, errorStatus[record.code] as 400, errorHeaders(record));
  };
  app.onError((error, c) => fail(c, error));
  app.notFound((c) => fail(c, noRoute(c.req.method, c.req.path)));

  const http = createHttpMetrics();
  app.use(http.measure);
  app.use(traceRequests);
  app.use(securityHeaders(parts));
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", async (c) => {
    try {
      const state = await parts.services.system.ready();
      return c.json(state, state.ready ? 200 : 503);
    } catch (error) {
      // A box whose database does not answer is alive but not ready.
      return c.json({ ready: false, missing: [{ what: "database", detail: toErrorRecord(error).message, etaSeconds: null }] }, 503);
    }
  });
  app.get("/metrics", async (c) => {
    const credentials = readCredentials(c);
    if (!credentials.loopback) {
      const caller = await parts.platform.identify(credentials);
      if (caller === null) throw unauthorized();
      needAdministrator(caller.actor); // it counts what not everybody may know of
    }
    return c.body(`${await parts.services.system.metrics()}${await http.text()}`, 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    });
  });

  for (const path of ["/api/*", "/v1/*"]) app.use(path, identify(parts));
  // Polling costs a comparison, not a transfer.
  app.use("/api/*", async (c, next) =>
    c.req.method === "GET" && !c.req.path.endsWith("/original") && c.req.path !== "/api/events" ? await etag()(c, next) : await next(),
  );
  app.route("/", openaiRoutes(parts));
  app.route("/", apiRoutes(parts));
  for (const prefix of ["/api/*", "/v1/*"]) {
    app.all(prefix, (c) => {
      if (c.get("caller") === null) throw unauthorized();
      throw noRoute(c.req.method, c.req.path);
    });
  }
  pageSite(app, parts);
  if (parts.consoleFolder !== null) staticRoutes(app, parts.consoleFolder);
  return app;
}
