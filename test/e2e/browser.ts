/** @file A real Chromium for tests and pictures, out of a package, with Chinese glyphs from another. Never part of the product. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { brotliDecompressSync, inflateSync } from "node:zlib";
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as playwright } from "playwright-core";

/** One folder a machine and user, filled once: fonts, their configuration, libraries. */
const folder = path.join(os.tmpdir(), `starbox-browser-${os.userInfo().uid}`);

/** A WOFF file is the font's tables, each deflated: put back together it is a plain TrueType file, which fontconfig reads. */
export function unpackWoff(woff: Buffer): Buffer {
  const tables = woff.readUInt16BE(12);
  const entries = Array.from({ length: tables }, (_, index) => {
    const at = 44 + index * 20;
    const [offset, packed, size] = [woff.readUInt32BE(at + 4), woff.readUInt32BE(at + 8), woff.readUInt32BE(at + 12)];
    const raw = woff.subarray(offset, offset + packed);
    return { tag: woff.subarray(at, at + 4), checksum: woff.readUInt32BE(at + 16), bytes: packed < size ? inflateSync(raw) : raw };
  });
  const power = 2 ** Math.floor(Math.log2(tables));
  const head = Buffer.alloc(12 + 16 * tables);
  woff.copy(head, 0, 4, 8);
  for (const [index, value] of [tables, power * 16, Math.log2(power), (tables - power) * 16].entries()) head.writeUInt16BE(value, 4 + index * 2);
  const parts: Buffer[] = [head];
  let offset = head.length;
  for (const [index, entry] of entries.entries()) {
    const at = 12 + index * 16;
    entry.tag.copy(head, at);
    head.writeUInt32BE(entry.checksum, at + 4);
    head.writeUInt32BE(offset, at + 8);
    head.writeUInt32BE(entry.bytes.length, at + 12);
    const padded = Buffer.alloc(Math.ceil(entry.bytes.length / 4) * 4);
    entry.bytes.copy(padded);
    parts.push(padded);
    offset += padded.length;
  }
  return Buffer.concat(parts);
}

function prepareFonts(): string {
  const fonts = path.join(folder, "fonts");
  const config = path.join(folder, "fonts.conf");
  if (fs.existsSync(config)) return config;
  fs.mkdirSync(fonts, { recursive: true });
  const files = path.join(import.meta.dirname, "../../node_modules/@fontsource/noto-sans-sc/files");
  for (const weight of [400, 500, 700]) {
    for (const subset of ["chinese-simplified", "latin"]) {
      const woff = path.join(files, `noto-sans-sc-${subset}-${weight}-normal.woff`);
      if (fs.existsSync(woff)) fs.writeFileSync(path.join(fonts, `${subset}-${weight}.ttf`), unpackWoff(fs.readFileSync(woff)));
    }
  }
  const families = ["sans-serif", "system-ui", "monospace"]
    .map((name) => `<alias><family>${name}</family><prefer><family>Noto Sans SC</family></prefer></alias>`)
    .join("");
  fs.writeFileSync(
    config,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>${fonts}</dir><cachedir>${path.join(folder, "cache")}</cachedir>${families}</fontconfig>`,
  );
  return config;
}

export async function startBrowser(): Promise<Browser> {
  const executablePath = await chromium.executablePath();
  return await playwright.launch({
    executablePath,
    headless: true,
    env: { ...process.env, FONTCONFIG_FILE: prepareFonts(), ...libraries() },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--disable-component-update",
      "--no-first-run",
      "--font-render-hinting=none",
      "--headless=shell",
    ],
  });
}

/** Where the machine lacks libraries that Chromium needs, the package brings them. */
function libraries(): Record<string, string> {
  const packed = path.join(import.meta.dirname, "../../node_modules/@sparticuz/chromium/bin/al2023.tar.br");
  const target = path.join(folder, "al2023");
  if (!fs.existsSync(path.join(target, "lib"))) {
    fs.mkdirSync(target, { recursive: true });
    const archive = path.join(folder, "al2023.tar");
    fs.writeFileSync(archive, brotliDecompressSync(fs.readFileSync(packed)));
    execFileSync("tar", ["-xf", archive, "-C", target]);
  }
  return { LD_LIBRARY_PATH: [path.join(target, "lib"), process.env["LD_LIBRARY_PATH"]].filter(Boolean).join(":") };
}
