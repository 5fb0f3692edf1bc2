/** @file Serves the chat page: the same few bytes for every page, its policy by the sites that may frame it. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Hono } from "hono";
import type { ServerEnv, ServerParts } from "../context.ts";
import { frameHeader } from "../security.ts";

const asset = (name: string): string => readFileSync(path.join(import.meta.dirname, name), "utf8");
const html = `<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>Starbox</title><link rel="stylesheet" href="/p/page.css"><script type="module" src="/p/page.js"></script></head><body><header><h1></h1></header><main><div id="log" aria-live="polite"></div><form hidden><textarea rows="2" maxlength="2000" required></textarea><button></button></form></main></body></html>`;

const policy = (origins: readonly string[]): string =>
  `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ${origins.length === 0 ? "'none'" : origins.join(" ")}`;

export function pageSite(app: Hono<ServerEnv>, parts: ServerParts): void {
  const [script, style] = [asset("page.js"), asset("page.css")];
  app.get("/p/page.js", (c) => c.body(script, 200, { "content-type": "text/javascript; charset=utf-8", "cache-control": "no-cache" }));
  app.get("/p/page.css", (c) => c.body(style, 200, { "content-type": "text/css; charset=utf-8", "cache-control": "no-cache" }));
  app.get("/p/:id", async (c) => {
    c.set("route", "/p/:id");
    const page = await parts.services.pages.open(c.req.param("id"));
    // A person in a browser followed a link: the page itself says that nothing is behind it.
    const origins = page?.origins ?? [];
    return c.body(html, page === null ? 404 : 200, {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy(origins),
      ...(origins.length === 0 ? {} : { [frameHeader]: "1" }),
    });
  });
}
