/** @file `starbox bundle OUT`: one file with runtime, libraries, source, console and models that needs nothing of a machine but a shell and the C library. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { z } from "zod";
import { StarboxError } from "#base";
import { bundleHeader, headerBytes, runScript } from "./header.ts";
import { runtimePackages } from "./packages.ts";

export type BundledModel = { readonly id: string; readonly kind: string; readonly filePath: string };
export type BundleOptions = {
  /** The project's folder. */
  readonly root: string;
  readonly out: string;
  readonly version: string;
  readonly commit: string | null;
  readonly models: readonly BundledModel[];
  readonly signal?: AbortSignal;
};

const partSchema = z.object({ offset: z.number(), size: z.number() });
const metaSchema = z.object({
  format: z.literal(1),
  version: z.string(),
  commit: z.string().nullable(),
  platform: z.string(),
  models: z.array(z.string()),
  node: partSchema,
  unpack: partSchema,
  libraries: z.array(partSchema.extend({ name: z.string() })),
  payload: partSchema.extend({ sha256: z.string() }),
});
export type BundleMeta = z.infer<typeof metaSchema>;

type Item = { readonly path: string; readonly file: string | Buffer; readonly mode: number };

/** Of a package only what runs: no maps, types, documents. */
const dispensable = /\.(map|d\.ts|d\.mts|d\.cts|md|markdown|flow)$|(^|\/)(test|tests|__tests__|example|examples|\.github|docs)\//i;

function below(root: string, folder: string, keep: (name: string) => boolean = () => true): Item[] {
  const items: Item[] = [];
  const visit = (relative: string): void => {
    for (const entry of fs.readdirSync(path.join(root, relative), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = `${relative}/${entry.name}`;
      if (entry.isDirectory()) {
        if (entry.name !== "node_modules" && entry.name !== ".git") visit(name);
      } else if (entry.isFile() && keep(name)) {
        const file = path.join(root, name);
        items.push({ path: `app/${name}`, file, mode: fs.statSync(file).mode & 0o777 });
      }
    }
  };
  if (fs.existsSync(path.join(root, folder))) visit(folder);
  return items;
}

/** Libraries a bare system may lack, from this machine; the C library itself belongs to the system. */
function sharedLibraries(node: string): readonly { readonly name: string; readonly file: string }[] {
  if (process.platform !== "linux") return [];
  const output = execFileSync("ldd", [node], { encoding: "utf8" });
  return [...output.matchAll(/^\s*(lib(?:stdc\+\+|gcc_s|atomic)\.so\.\d+) => (\S+)/gm)].map(([, name = "", file = ""]) => ({ name, file }));
}

function collect(options: BundleOptions): Item[] {
  const { root } = options;
  const isSource = (name: string): boolean => !/\.test\.tsx?$/.test(name);
  if (!fs.existsSync(path.join(root, "console/dist/index.html")))
    throw new StarboxError("usage", "The console is not built.", {
      hint: "Run ./starbox start once, then bundle again.",
      zh: { message: "控制台尚未构建。", hint: "请先运行一次 ./starbox start。" },
    });
  return [
    ...["package.json", "README.md", "README.zh.md"]
      .filter((name) => fs.existsSync(path.join(root, name)))
      .map((name) => ({ path: `app/${name}`, file: path.join(root, name), mode: 0o644 })),
    { path: "app/.commit", file: Buffer.from(options.commit ?? ""), mode: 0o644 },
    ...below(root, "src", isSource),
    ...below(root, "console/dist"),
    ...below(root, "samples"),
    ...below(root, "docs", (name) => name.endsWith(".md")),
    // Kernels: the library where one was built here, and the source to build one elsewhere.
    ...below(root, "native", (name) => !/\.(o|a)$/.test(name)),
    ...runtimePackages(root).flatMap((folder) => below(root, folder, (name) => !dispensable.test(name.slice(folder.length)))),
    { path: "run", file: Buffer.from(runScript(options.models)), mode: 0o755 },
    ...options.models.map(({ id, filePath }) => ({ path: `models/${id}.gguf`, file: filePath, mode: 0o644 })),
    { path: "models.json", file: Buffer.from(JSON.stringify(options.models.map(({ id, kind }) => ({ id, kind })))), mode: 0o644 },
  ];
}

async function* records(items: readonly Item[]): AsyncGenerator<Buffer> {
  for (const { path: name, file, mode } of items) {
    const size = typeof file === "string" ? fs.statSync(file).size : file.byteLength;
    const line = Buffer.from(JSON.stringify({ path: name, mode: mode | 0o444, size }));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(line.length);
    yield Buffer.concat([length, line]);
    if (typeof file === "string") yield* fs.createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
    else yield file;
  }
}

export type BundleReport = {
  readonly file: string;
  readonly sizeBytes: number;
  readonly files: number;
  readonly seconds: number;
  readonly meta: BundleMeta;
};

export async function createBundle(options: BundleOptions): Promise<BundleReport> {
  const started = performance.now();
  const items = collect(options);
  const draft = `${options.out}.part`;
  const out = fs.openSync(draft, "w", 0o755);
  let at = headerBytes;
  const append = (bytes: Uint8Array): void => {
    fs.writeSync(out, bytes, 0, bytes.byteLength, at);
    at += bytes.byteLength;
  };
  try {
    // Whole and as they are: they are taken out with head and tail, before anything could decompress.
    const appendFile = async (file: string): Promise<{ readonly offset: number; readonly size: number }> => {
      const offset = at;
      for await (const part of fs.createReadStream(file, { highWaterMark: 1 << 20 })) append(part as Buffer);
      return { offset, size: at - offset };
    };
    const node = await appendFile(process.execPath);
    const unpack = await appendFile(path.join(import.meta.dirname, "unpack-main.mts"));
    const libraries: BundleMeta["libraries"] = [];
    for (const { name, file } of sharedLibraries(process.execPath)) libraries.push({ name, ...(await appendFile(file)) });
    const offset = at;
    const hash = createHash("sha256");
    const zstd = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    await pipeline(
      Readable.from(records(items), { objectMode: false }),
      zstd,
      async (source: AsyncIterable<Buffer>) => {
        for await (const part of source) {
          hash.update(part);
          append(part);
        }
      },
      ...(options.signal === undefined ? [] : [{ signal: options.signal }]),
    );
    const meta: BundleMeta = {
      format: 1,
      version: options.version,
      commit: options.commit,
      platform: `${process.platform}-${process.arch}`,
      models: options.models.map(({ id }) => id),
      node,
      unpack,
      libraries,
      payload: { offset, size: at - offset, sha256: hash.digest("hex") },
    };
    fs.writeSync(out, bundleHeader(meta), 0, headerBytes, 0);
    fs.fsyncSync(out);
    fs.closeSync(out);
    fs.renameSync(draft, options.out);
    return { file: options.out, sizeBytes: at, files: items.length, seconds: Math.round((performance.now() - started) / 100) / 10, meta };
  } catch (error) {
    fs.rmSync(draft, { force: true });
    throw error;
  }
}

/** What a bundle says of itself. Throws invalid_input for any other file. */
export function readBundle(file: string): BundleMeta {
  try {
    const fd = fs.openSync(file, "r");
    const head = Buffer.alloc(headerBytes);
    fs.readSync(fd, head, 0, headerBytes, 0);
    fs.closeSync(fd);
    return metaSchema.parse(JSON.parse(/^# meta (\{.*\})$/m.exec(head.toString("utf8"))?.[1] ?? ""));
  } catch (cause) {
    throw new StarboxError("invalid_input", `${file} is not a bundle of Starbox.`, {
      hint: "starbox bundle OUT makes one.",
      zh: { message: `${file} 不是星匣的安装包。`, hint: "用 starbox bundle 输出文件 制作。" },
      cause,
    });
  }
}

/** A bundle's folder below the installation: version and contents. */
export const bundleName = (meta: BundleMeta): string => `${meta.version}-${meta.payload.sha256.slice(0, 12)}`;
