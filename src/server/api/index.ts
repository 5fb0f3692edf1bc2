/** @file All resource routes, and their description. */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { ServerEnv, ServerParts } from "../context.ts";
import { accountRoutes } from "./account/route.ts";
import { answerRoutes } from "./answers/route.ts";
import { auditRoutes } from "./audit/route.ts";
import { baseRoutes } from "./bases/route.ts";
import { chatRoutes } from "./chats/route.ts";
import { chunkRoutes } from "./chunks/route.ts";
import { docsPage, docsStyle } from "./docs.ts";
import { documentRoutes } from "./documents/route.ts";
import { keyRoutes } from "./keys/route.ts";
import { modelRoutes } from "./models/route.ts";
import { operationRoutes } from "./operations/route.ts";
import { pageRoutes } from "./pages/route.ts";
import { accessRoutes } from "./people/access-route.ts";
import { peopleRoutes } from "./people/route.ts";
import { privacyRoutes } from "./privacy/route.ts";
import { systemRoutes } from "./system/route.ts";
import { usageRoutes } from "./usage/route.ts";

export function apiRoutes(parts: ServerParts): OpenAPIHono<ServerEnv> {
  const api = new OpenAPIHono<ServerEnv>();
  for (const routes of [
    accountRoutes,
    keyRoutes,
    usageRoutes,
    auditRoutes,
    privacyRoutes,
    peopleRoutes,
    accessRoutes,
    baseRoutes,
    documentRoutes,
    chunkRoutes,
    answerRoutes,
    chatRoutes,
    modelRoutes,
    systemRoutes,
    operationRoutes,
    pageRoutes,
  ])
    routes(api, parts);
  describeSecurity(api);
  let cached: ReturnType<typeof api.getOpenAPI31Document> | undefined;
  const description = () => {
    cached ??= api.getOpenAPI31Document({
      openapi: "3.1.0",
      info: {
        title: "Starbox",
        version: parts.version,
        license: { name: "Apache-2.0" },
        description:
          "The box's own resources. Models and cited answers are also at /v1 in OpenAI's shapes. Errors: {error: {code, message, hint, details}}, with the same in Chinese under error.zh.",
      },
      servers: [{ url: "/" }],
    });
    return cached;
  };
  api.get("/api/openapi.json", (c) => c.json(description() as never));
  api.get("/api/docs", (c) => c.html(docsPage(description())));
  api.get("/api/docs.css", (c) => c.body(docsStyle, 200, { "content-type": "text/css; charset=utf-8" }));
  return api;
}

function describeSecurity(api: OpenAPIHono<ServerEnv>): void {
  api.openAPIRegistry.registerComponent("securitySchemes", "key", { type: "http", scheme: "bearer", description: "An API key, sb-…" });
  api.openAPIRegistry.registerComponent("securitySchemes", "session", {
    type: "apiKey",
    in: "cookie",
    name: "starbox.session_token",
    description: "A browser's session",
  });
}
