/** @file A span for each request, where traces are switched on. Route, status and time; never an address with its query, a body or a name. */
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { MiddlewareHandler } from "hono";
import type { ServerEnv } from "./context.ts";
import { routeLabel } from "./http-metrics.ts";

export const traceRequests: MiddlewareHandler<ServerEnv> = async (c, next) => {
  const tracer = trace.getTracer("starbox");
  const parent = propagation.extract(context.active(), { traceparent: c.req.header("traceparent") });
  const span = tracer.startSpan(c.req.method, { kind: SpanKind.SERVER }, parent);
  if (!span.isRecording()) return await next();
  await context.with(trace.setSpan(parent, span), next);
  const route = routeLabel(c.req.path, c.get("route"));
  span.updateName(`${c.req.method} ${route}`);
  span.setAttributes({ "http.request.method": c.req.method, "http.route": route, "http.response.status_code": c.res.status });
  if (c.res.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
};
