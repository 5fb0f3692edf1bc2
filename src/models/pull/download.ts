/** @file One file over HTTP into one file on disk: ranges in parallel, a journal beside it, so that a cut costs at most the pieces under way. Checks no hash. */
import fs from "node:fs";
import fsp from "node:fs/promises";
import { outbound, StarboxError } from "#base";

export type DownloadOptions = {
  readonly url: string;
  readonly targetPath: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Called with the bytes on disk so far, also right after resuming. */
  readonly onProgress?: (receivedBytes: number, totalBytes: number | null) => void;
  readonly fetch?: typeof fetch;
  readonly connections?: number;
  readonly pieceBytes?: number;
  /** Tries of one piece before giving up; the waits between grow from `retryMs`. */
  readonly tries?: number;
  readonly retryMs?: number;
};

type Journal = { readonly url: string; readonly sizeBytes: number; readonly etag: string | null; readonly pieceBytes: number; done: number[] };

type Remote = { readonly sizeBytes: number | null; readonly etag: string | null; readonly ranges: boolean };

/** Resolves when `targetPath` is complete and on disk. What was received stays beside it (`.part`, `.journal`) for the next try. */
export async function downloadFile(options: DownloadOptions): Promise<void> {
  const remote = await withTries(options, () => askRemote(options));
  const partPath = `${options.targetPath}.part`;
  const journalPath = `${options.targetPath}.journal`;
  if (!remote.ranges || remote.sizeBytes === null) await withTries(options, () => downloadWhole(options, partPath, remote.sizeBytes));
  else await downloadPieces(options, partPath, journalPath, { ...remote, sizeBytes: remote.sizeBytes });
  await fsp.rename(partPath, options.targetPath);
  await fsp.rm(journalPath, { force: true });
}

async function askRemote(options: DownloadOptions): Promise<Remote> {
  const response = await request(options, { range: "bytes=0-0" });
  await response.body?.cancel();
  const total = /^bytes 0-0\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
  const etag = response.headers.get("etag");
  if (response.status === 206 && total !== undefined) return { sizeBytes: Number(total), etag, ranges: true };
  const length = Number(response.headers.get("content-length"));
  return { sizeBytes: response.status === 200 && length > 0 ? length : null, etag, ranges: false };
}

async function request(options: DownloadOptions, headers: Readonly<Record<string, string>>): Promise<Response> {
  const response = await (options.fetch ?? outbound.fetch)(options.url, {
    headers: { ...options.headers, ...headers, "accept-encoding": "identity" },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (response.ok) return response;
  await response.body?.cancel();
  const passing = response.status === 429 || response.status >= 500;
  throw Object.assign(sourceFailed(options.url, `status ${response.status}`), { passing });
}

function sourceFailed(url: string, what: string, cause?: unknown): StarboxError {
  const host = new URL(url).host;
  return new StarboxError("model_source_unreachable", `${host}: ${what}.`, {
    hint: "Check the network, or bring the file by hand: starbox models import PATH.",
    zh: { message: `${host}：${what}。`, hint: "请检查网络，或用 starbox models import 路径 手工导入模型文件。" },
    ...(cause === undefined ? {} : { cause }),
  });
}

async function withTries<T>(options: DownloadOptions, work: () => Promise<T>): Promise<T> {
  const tries = options.tries ?? 6;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (options.signal?.aborted)
        throw new StarboxError("model_pull_cancelled", "The download was stopped; what was received is kept.", {
          zh: { message: "下载已停止，已收到的部分会保留。" },
        });
      if ((error as NodeJS.ErrnoException).code === "ENOSPC") throw diskFull(options.targetPath, error);
      const lasting = StarboxError.is(error) && (error as { passing?: boolean }).passing === false;
      if (lasting || attempt >= tries) throw StarboxError.is(error) ? error : sourceFailed(options.url, reasonOf(error), error);
      await new Promise((resolve) => setTimeout(resolve, (options.retryMs ?? 500) * 2 ** (attempt - 1)));
    }
  }
}

/** fetch says "fetch failed"; the reason is in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}

export function diskFull(filePath: string, cause?: unknown): StarboxError {
  return new StarboxError("disk_full", `No room left on the disk while writing ${filePath}.`, {
    hint: "Free some space or choose another data folder (--data), then pull again: what was received is kept.",
    zh: { message: `写入 ${filePath} 时磁盘空间不足。`, hint: "请清理磁盘或更换数据文件夹（--data），然后重新拉取，已下载的部分会保留。" },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** For servers without ranges: from the beginning, every time. */
async function downloadWhole(options: DownloadOptions, partPath: string, sizeBytes: number | null): Promise<void> {
  const response = await request(options, {});
  const file = await fsp.open(partPath, "w");
  try {
    let received = 0;
    for await (const bytes of response.body ?? []) {
      await file.write(bytes as Uint8Array);
      received += (bytes as Uint8Array).byteLength;
      options.onProgress?.(received, sizeBytes);
    }
    if (sizeBytes !== null && received !== sizeBytes) throw new Error(`the connection ended after ${received} of ${sizeBytes} bytes`);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function downloadPieces(
  options: DownloadOptions,
  partPath: string,
  journalPath: string,
  remote: Remote & { readonly sizeBytes: number },
): Promise<void> {
  const journal = openJournal(options, partPath, journalPath, remote);
  const pieces = Math.ceil(remote.sizeBytes / journal.pieceBytes);
  const sizeOf = (piece: number): number => Math.min(journal.pieceBytes, remote.sizeBytes - piece * journal.pieceBytes);
  const waiting = Array.from({ length: pieces }, (_, piece) => piece).filter((piece) => !journal.done.includes(piece));
  const underWay = new Map<number, number>();
  const report = (): void => {
    let received = 0;
    for (const piece of journal.done) received += sizeOf(piece);
    for (const bytes of underWay.values()) received += bytes;
    options.onProgress?.(received, remote.sizeBytes);
  };
  report();
  const file = await fsp.open(partPath, fs.constants.O_RDWR | fs.constants.O_CREAT);
  const failure = new AbortController();
  const signal = options.signal === undefined ? failure.signal : AbortSignal.any([options.signal, failure.signal]);
  const work = async (): Promise<void> => {
    for (let piece = waiting.shift(); piece !== undefined && !signal.aborted; piece = waiting.shift()) {
      const current = piece;
      await withTries({ ...options, signal }, () =>
        fetchPiece({ ...options, signal }, file, current * journal.pieceBytes, sizeOf(current), remote, (bytes) => {
          underWay.set(current, bytes);
          report();
        }),
      );
      underWay.delete(current);
      // The journal may only claim what a power cut leaves in place.
      await file.datasync();
      journal.done.push(current);
      writeJournal(journalPath, journal);
      report();
    }
  };
  try {
    const workers = Array.from({ length: Math.min(options.connections ?? 4, Math.max(1, waiting.length)) }, () =>
      work().catch((error: unknown) => {
        failure.abort();
        throw error;
      }),
    );
    const ends = await Promise.allSettled(workers);
    const errors = ends.filter((end) => end.status === "rejected").map((end) => end.reason as unknown);
    const cause = errors.find((error) => !StarboxError.is(error, "model_pull_cancelled")) ?? errors[0];
    if (cause !== undefined) throw cause;
    if (options.signal?.aborted)
      throw new StarboxError("model_pull_cancelled", "The download was stopped; what was received is kept.", {
        zh: { message: "下载已停止，已收到的部分会保留。" },
      });
  } finally {
    await file.close();
  }
}

async function fetchPiece(
  options: DownloadOptions,
  file: fsp.FileHandle,
  start: number,
  length: number,
  remote: Remote & { readonly sizeBytes: number },
  onBytes: (bytes: number) => void,
): Promise<void> {
  const response = await request(options, {
    range: `bytes=${start}-${start + length - 1}`,
    ...(remote.etag === null || remote.etag.startsWith("W/") ? {} : { "if-range": remote.etag }),
  });
  const expected = `bytes ${start}-${start + length - 1}/${remote.sizeBytes}`;
  const found = response.headers.get("content-range");
  if (response.status !== 206 || found !== expected) {
    await response.body?.cancel();
    throw new Error(`asked for ${expected}, got ${found ?? `status ${response.status}`}: the file changed or the server ignores ranges`);
  }
  let received = 0;
  for await (const part of response.body ?? []) {
    const bytes = part as Uint8Array;
    if (received + bytes.byteLength > length) throw new Error(`more bytes than the range asked for`);
    await file.write(bytes, 0, bytes.byteLength, start + received);
    received += bytes.byteLength;
    onBytes(received);
  }
  if (received !== length) throw new Error(`the connection ended after ${received} of ${length} bytes`);
}

/** A journal of another file, or of one that changed since, is worth nothing. */
function openJournal(options: DownloadOptions, partPath: string, journalPath: string, remote: Remote & { readonly sizeBytes: number }): Journal {
  const fresh: Journal = { url: options.url, sizeBytes: remote.sizeBytes, etag: remote.etag, pieceBytes: options.pieceBytes ?? 8 << 20, done: [] };
  try {
    const found = JSON.parse(fs.readFileSync(journalPath, "utf8")) as Journal;
    if (found.sizeBytes === fresh.sizeBytes && found.etag === fresh.etag && found.pieceBytes > 0 && fs.existsSync(partPath))
      return { ...found, done: [...new Set(found.done)] };
  } catch {
    // None, or half written: begin again.
  }
  fs.rmSync(partPath, { force: true });
  writeJournal(journalPath, fresh);
  return fresh;
}

function writeJournal(journalPath: string, journal: Journal): void {
  fs.writeFileSync(`${journalPath}.new`, JSON.stringify(journal));
  fs.renameSync(`${journalPath}.new`, journalPath);
}
