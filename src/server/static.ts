/** @file The built console: hashed assets kept for ever, everything else asked for again, unknown pages are the app itself. */
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Hono } from "hono";
import type { RequestContext, ServerEnv } from "./context.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webp": "image/webp",
  ".ico": "image/x-icon",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

type Asset = {
  readonly file: string;
  readonly type: string;
  readonly size: number;
  readonly modifiedMs: number;
  packed?: Promise<Uint8Array<ArrayBuffer>>;
};

const packable = /^(text\/|application\/(json|manifest)|image\/svg)/;
const pack = async (file: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await promisify(gzip)(await readFile(file), { level: 9 }));

export function staticRoutes(app: Hono<ServerEnv>, folder: string): void {
  let assets: ReadonlyMap<string, Asset> | undefined;
  app.get("*", async (c, next) => {
    if (c.req.path.startsWith("/api/") || c.req.path.startsWith("/v1/")) return await next();
    // Only files that were found in the folder can be named: no path is ever built from a request.
    if (assets === undefined || !assets.has("/index.html")) assets = await findAssets(folder);
    const asset = assets.get(c.req.path === "/" ? "/index.html" : decodePath(c.req.path));
    if (asset !== undefined) return await send(c, asset);
    const index = assets.get("/index.html");
    const wantsPage = (c.req.header("accept") ?? "").includes("text/html") && path.extname(c.req.path) === "";
    return index !== undefined && wantsPage ? await send(c, index) : await next();
  });
}

async function findAssets(folder: string): Promise<ReadonlyMap<string, Asset>> {
  const found = new Map<string, Asset>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const { size, mtimeMs } = await stat(file);
    const url = `/${path.relative(folder, file).split(path.sep).join("/")}`;
    found.set(url, {
      file,
      type: types[path.extname(entry.name).toLowerCase()] ?? "application/octet-stream",
      size,
      modifiedMs: Math.floor(mtimeMs),
    });
  }
  return found;
}

function decodePath(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}

/** Vite writes name-HASH.ext into assets/: such a file never changes. */
const hashed = /^\/assets\/.+-[\w-]{8,}\.\w+$/;

async function send(c: RequestContext, asset: Asset): Promise<Response> {
  const etag = `"${asset.size.toString(36)}-${asset.modifiedMs.toString(36)}"`;
  const headers: Record<string, string> = {
    "content-type": asset.type,
    etag,
    "cache-control": hashed.test(c.req.path) ? "public, max-age=31536000, immutable" : "no-cache",
  };
  if (c.req.header("if-none-match") === etag) return new Response(null, { status: 304, headers });
  if (packable.test(asset.type) && asset.size > 1024 && asset.size < 8 << 20) {
    headers.vary = "accept-encoding";
    if (/\bgzip\b/.test(c.req.header("accept-encoding") ?? "")) {
      // Packed once and kept: the whole console is a few hundred kilobytes.
      asset.packed ??= pack(asset.file);
      const bytes = await asset.packed;
      return new Response(c.req.method === "HEAD" ? null : bytes, {
        headers: { ...headers, "content-encoding": "gzip", "content-length": String(bytes.byteLength) },
      });
    }
  }
  headers["content-length"] = String(asset.size);
  if (c.req.method === "HEAD" || asset.size === 0) return new Response(null, { headers });
  return new Response(Readable.toWeb(createReadStream(asset.file)) as ReadableStream<Uint8Array>, { headers });
}
