/** @file A few low-priority processes that parse files under a ceiling of memory and time; a file that breaks one is reported and the pool goes on. */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { fromErrorRecord, libraryPath, StarboxError } from "#base";
import type { Chunk, ParsedDocument } from "#contracts";
import type { ChunkWords } from "./index-words.ts";
import { defaultLimits, documentError, type ParseLimits, tooLargeError } from "./limits.ts";
import type { ParseReply, ParseRequest } from "./parse-process.ts";

export type ParsedFile = {
  readonly parsed: ParsedDocument;
  readonly chunks: readonly Chunk[] /** Of each chunk, when asked for; the blocks are then in `blocksJson` and not in `parsed`. */;
  readonly words: readonly ChunkWords[];
  readonly blocksJson: string;
};

export type ParsePoolOptions = {
  readonly size?: number;
  readonly memoryMb?: number;
  readonly timeoutMs?: number;
  readonly idleMs?: number;
  readonly limits?: Partial<ParseLimits>;
};

export type ParsePool = {
  /** Parses the file at `file`; `name` (with its ending) says what it was called. Aborting kills the work at once. */
  parse(file: string, name?: string, signal?: AbortSignal, limits?: Partial<ParseLimits>, words?: readonly string[]): Promise<ParsedFile>;
  /** Processes alive now. */
  readonly alive: number;
  close(): Promise<void>;
};

type Job = {
  readonly request: Omit<ParseRequest, "id">;
  readonly signal: AbortSignal | undefined;
  resolve(file: ParsedFile): void;
  reject(error: Error): void;
  readonly chunks: Chunk[];
  readonly words: ChunkWords[];
};
type Worker = {
  readonly child: ChildProcess;
  job: Job | null;
  jobId: number;
  timers: NodeJS.Timeout[];
  reason: "time" | "memory" | "abort" | null;
  done: number;
};

/** A process is replaced after this many files: leaks in parsers stay small. */
const filesPerProcess = 500;

const entry = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./parse-process.ts" : "./parse-process.js", import.meta.url));

function residentMb(pid: number): number {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096) / 2 ** 20;
  } catch {
    return 0; // no /proc here: the heap ceiling alone holds
  }
}

function heavyError(what: "time" | "memory" | "crash", name: string, options: { memoryMb: number; timeoutMs: number }): StarboxError {
  const seconds = Math.round(options.timeoutMs / 1000);
  if (what === "time") {
    return documentError(
      "document_timeout",
      { message: `"${name}" could not be read within ${seconds} s.`, hint: "Split it into smaller files, or save it again with another program." },
      { message: `“${name}”未能在 ${seconds} 秒内读完。`, hint: "请拆分成较小的文件，或用其他软件重新保存。" },
    );
  }
  const limit = what === "memory" ? `needs more than ${options.memoryMb} MB of memory` : "stopped the process that was reading it";
  const limitZh = what === "memory" ? `需要超过 ${options.memoryMb} MB 内存` : "导致解析进程退出";
  return documentError(
    "document_too_heavy",
    { message: `"${name}" ${limit}.`, hint: "Split it into smaller files, or save it again with another program." },
    { message: `“${name}”${limitZh}。`, hint: "请拆分成较小的文件，或用其他软件重新保存。" },
  );
}

class Pool implements ParsePool {
  readonly #size: number;
  readonly #limits: { readonly memoryMb: number; readonly timeoutMs: number };
  readonly #idleMs: number;
  readonly #parseLimits: Partial<ParseLimits>;
  readonly #workers = new Set<Worker>();
  readonly #queue: Job[] = [];
  #nextId = 1;
  #idleTimer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: ParsePoolOptions) {
    this.#size = Math.max(1, options.size ?? 1);
    this.#limits = { memoryMb: options.memoryMb ?? 768, timeoutMs: options.timeoutMs ?? 120_000 };
    this.#idleMs = options.idleMs ?? 30_000;
    this.#parseLimits = options.limits ?? {};
  }

  get alive(): number {
    return this.#workers.size;
  }

  async parse(
    file: string,
    name = basename(file),
    signal?: AbortSignal,
    limits: Partial<ParseLimits> = {},
    words?: readonly string[],
  ): Promise<ParsedFile> {
    const { size } = await stat(file);
    if (this.#closed) throw cancelled(name);
    const all = { ...defaultLimits, ...this.#parseLimits, ...limits };
    // Asked before the bytes are read: a 2 GB file costs nothing.
    if (size > all.maxBytes) throw tooLargeError(`${size} bytes, at most ${all.maxBytes}`, `${size} 字节，最多 ${all.maxBytes} 字节`);
    return await new Promise<ParsedFile>((resolve, reject) => {
      const job: Job = {
        request: { file, name, limits: { ...this.#parseLimits, ...limits }, ...(words === undefined ? {} : { words }) },
        signal,
        resolve,
        reject,
        chunks: [],
        words: [],
      };
      if (signal?.aborted === true) return reject(cancelled(name));
      signal?.addEventListener("abort", () => this.#abort(job), { once: true });
      this.#queue.push(job);
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    for (const job of this.#queue.splice(0)) job.reject(cancelled(job.request.name));
    await Promise.all([...this.#workers].map((worker) => this.#stop(worker, "abort")));
  }

  #abort(job: Job): void {
    const at = this.#queue.indexOf(job);
    if (at >= 0) {
      this.#queue.splice(at, 1);
      job.reject(cancelled(job.request.name));
    } else for (const worker of this.#workers) if (worker.job === job) void this.#stop(worker, "abort");
  }

  #dispatch(): void {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = null;
    while (this.#queue.length > 0) {
      const worker = [...this.#workers].find((w) => w.job === null && w.reason === null) ?? (this.#workers.size < this.#size ? this.#spawn() : null);
      if (worker === null) return;
      this.#give(worker, this.#queue.shift() as Job);
    }
    if ([...this.#workers].every((worker) => worker.job === null) && this.#workers.size > 0) {
      this.#idleTimer = setTimeout(() => {
        for (const worker of this.#workers) void this.#stop(worker, "abort");
      }, this.#idleMs);
      this.#idleTimer.unref();
    }
  }

  #spawn(): Worker {
    const child = fork(entry, [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: ["--conditions=starbox-source", `--max-old-space-size=${this.#limits.memoryMb}`, "--disable-warning=ExperimentalWarning"],
      env: { PATH: "/usr/bin:/bin", ...libraryPath() },
    });
    const worker: Worker = { child, job: null, jobId: 0, timers: [], reason: null, done: 0 };
    this.#workers.add(worker);
    child.on("message", (reply: ParseReply) => this.#reply(worker, reply));
    child.on("error", () => this.#gone(worker));
    child.on("exit", () => this.#gone(worker));
    // An idle process must not keep the box from ending.
    child.unref();
    child.channel?.unref();
    return worker;
  }

  #give(worker: Worker, job: Job): void {
    worker.job = job;
    worker.jobId = this.#nextId++;
    worker.child.ref();
    worker.child.channel?.ref();
    const watch = setInterval(() => {
      // Buffers and WebAssembly live outside the heap that the flag limits.
      if (residentMb(worker.child.pid ?? 0) > this.#limits.memoryMb + 200) void this.#stop(worker, "memory");
    }, 200);
    worker.timers = [watch, setTimeout(() => void this.#stop(worker, "time"), this.#limits.timeoutMs)];
    const request: ParseRequest = { id: worker.jobId, ...job.request };
    worker.child.send(request, (error) => {
      if (error !== null && worker.job === job) this.#gone(worker);
    });
  }

  #free(worker: Worker): Job | null {
    for (const timer of worker.timers) clearTimeout(timer);
    worker.timers = [];
    const { job } = worker;
    worker.job = null;
    return job;
  }

  #reply(worker: Worker, reply: ParseReply): void {
    if (reply.id !== worker.jobId || worker.job === null) return;
    if (reply.ok === "part") {
      worker.job.chunks.push(...reply.chunks);
      worker.job.words.push(...reply.words);
      return;
    }
    const job = this.#free(worker);
    worker.child.unref();
    worker.child.channel?.unref();
    const fat = reply.ok && reply.heapBytes > this.#limits.memoryMb * 0.75 * 2 ** 20;
    if (++worker.done >= filesPerProcess || fat) void this.#stop(worker, "abort");
    if (reply.ok) job?.resolve({ parsed: reply.parsed, chunks: job.chunks, words: job.words, blocksJson: reply.blocksJson });
    else job?.reject(fromErrorRecord(reply.error));
    this.#dispatch();
  }

  #gone(worker: Worker): void {
    if (!this.#workers.delete(worker)) return;
    const job = this.#free(worker);
    if (job !== null) {
      const { name } = job.request;
      // V8 aborts by itself when the heap ceiling is reached: no reason was set then.
      job.reject(worker.reason === "abort" ? cancelled(name) : heavyError(worker.reason ?? "crash", name, this.#limits));
    }
    if (!this.#closed) this.#dispatch();
  }

  async #stop(worker: Worker, reason: NonNullable<Worker["reason"]>): Promise<void> {
    worker.reason ??= reason;
    if (worker.child.exitCode !== null || worker.child.signalCode !== null) return this.#gone(worker);
    worker.child.ref(); // waited for: the box must not end before
    const ended = new Promise<void>((resolve) => worker.child.once("exit", () => resolve()));
    worker.child.kill("SIGKILL");
    await ended;
  }
}

function cancelled(name: string): StarboxError {
  return new StarboxError("cancelled", `Reading "${name}" was cancelled.`, {
    hint: "Add the file again to read it.",
    zh: { message: `已取消读取“${name}”。`, hint: "可重新添加该文件。" },
  });
}

export function createParsePool(options: ParsePoolOptions = {}): ParsePool {
  return new Pool(options);
}
