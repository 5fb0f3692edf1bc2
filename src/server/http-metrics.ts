/** @file Requests for Prometheus: how many, how long, by the route's pattern and never by what is in the address. */
import type { MiddlewareHandler } from "hono";
import { Histogram, Registry } from "prom-client";
import type { ServerEnv } from "./context.ts";

export type HttpMetrics = { readonly measure: MiddlewareHandler<ServerEnv>; text(): Promise<string> };

/** A pattern (`/api/bases/:id`), or the kind of page: labels must stay few and tell nothing. */
export function routeLabel(path: string, pattern: string | undefined): string {
  if (pattern !== undefined) return pattern;
  if (path.startsWith("/v1/")) return /^\/v1\/(chat\/completions|completions|embeddings|models)$/.test(path) ? path : "/v1/*";
  if (path.startsWith("/api/")) return "/api/*";
  if (path.startsWith("/assets/")) return "/assets/*";
  return /^\/(healthz|readyz|metrics)$/.test(path) ? path : "/*";
}

export function createHttpMetrics(): HttpMetrics {
  const registry = new Registry();
  const seconds = new Histogram({
    name: "starbox_http_request_duration_seconds",
    help: "Seconds until the answer begins.",
    labelNames: ["method", "route", "status"],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    registers: [registry],
  });
  return {
    async measure(c, next) {
      const started = performance.now();
      await next();
      const labels = { method: c.req.method, route: routeLabel(c.req.path, c.get("route")), status: String(c.res.status) };
      seconds.observe(labels, (performance.now() - started) / 1000);
    },
    text: async () => await registry.metrics(),
  };
}
