/** @file One engine process seen from the box: started when needed, watched, started again after a crash, ended when idle. Knows messages, not models. */
import { type ChildProcess, fork } from "node:child_process";
import path from "node:path";
import { fromErrorRecord, type Logger, StarboxError } from "#base";
import type { StreamPart } from "#contracts";
import type { EngineCall, EngineInfo, EngineLoad, FromEngine } from "./engine/protocol.ts";

type Pending = {
  readonly onPart: (part: StreamPart) => void;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  sent: boolean;
};

/** `sent` tells whether anything had reached the reader: only then is a crash final. */
export class EngineCrash extends Error {
  readonly sent: boolean;
  constructor(sent: boolean, reason: string) {
    super(reason);
    this.sent = sent;
  }
}

const fromSource = import.meta.filename.endsWith(".ts");
const entry = path.join(import.meta.dirname, "engine", fromSource ? "main.ts" : "main.js");

export class EngineProcess {
  readonly #options: { readonly name: string; readonly load: () => Promise<EngineLoad>; readonly logger: Logger; readonly idleMs: number };
  readonly #pending = new Map<number, Pending>();
  #child: ChildProcess | null = null;
  #ready: Promise<EngineInfo> | null = null;
  #info: EngineInfo | null = null;
  #nextId = 1;
  #idleTimer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: { readonly name: string; readonly load: () => Promise<EngineLoad>; readonly logger: Logger; readonly idleMs: number }) {
    this.#options = options;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }
  /** Null while no model is in memory. */
  get info(): EngineInfo | null {
    return this.#info;
  }
  get busy(): boolean {
    return this.#pending.size > 0;
  }

  /** Starts the process and loads the model, once for all who ask meanwhile. */
  async start(): Promise<EngineInfo> {
    if (this.#closed) throw new StarboxError("model_not_ready", "The box is shutting down.", { zh: { message: "星匣正在关闭。" } });
    this.#ready ??= this.#spawn().catch((error: unknown) => {
      this.#ready = null;
      throw error;
    });
    return this.#ready;
  }

  async #spawn(): Promise<EngineInfo> {
    const load = await this.#options.load();
    const child = fork(entry, [], {
      execArgv: fromSource ? ["--conditions=starbox-source"] : [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child = child;
    let lastWords = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      lastWords = (lastWords + text).slice(-2000);
    });
    return new Promise<EngineInfo>((resolve, reject) => {
      child.on("message", (message: FromEngine) => {
        if (message.type === "loaded") {
          this.#info = message.info;
          this.#armIdle();
          this.#options.logger.info({ engine: this.#options.name, pid: child.pid, ...message.info }, "engine ready");
          resolve(message.info);
        } else if (message.type === "load-failed") {
          reject(fromErrorRecord(message.error));
          child.kill("SIGKILL");
        } else this.#receive(message);
      });
      child.once("error", (cause) => reject(new StarboxError("engine_failed", `The engine process cannot be started: ${cause.message}.`, { cause })));
      child.once("exit", (code, signal) => {
        const reason = signal === null ? `exit code ${code}` : signal;
        this.#forget(child);
        reject(
          new StarboxError("engine_crashed", `The engine ended while loading the model (${reason}).`, {
            hint: "Most often memory ran out: see starbox doctor.",
            zh: { message: `引擎在加载模型时退出（${reason}）。`, hint: "多为内存不足，请运行 starbox doctor。" },
          }),
        );
        if (this.#pending.size > 0)
          this.#options.logger.error({ engine: this.#options.name, reason, requests: this.#pending.size, lastWords }, "engine crashed");
        for (const [id, pending] of this.#pending) {
          this.#pending.delete(id);
          pending.reject(new EngineCrash(pending.sent, reason));
        }
      });
      child.send(load, (error) => error !== null && error !== undefined && reject(error));
    });
  }

  #forget(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#ready = null;
    this.#info = null;
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
  }

  #receive(message: Exclude<FromEngine, { type: "loaded" | "load-failed" }>): void {
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if (message.type === "part") {
      if (message.part.type !== "start") pending.sent = true;
      pending.onPart(message.part);
      return;
    }
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) this.#armIdle();
    if (message.type === "done") pending.resolve(message.result);
    else pending.reject(fromErrorRecord(message.error));
  }

  /** One call. Aborting asks the engine to stop; the promise settles when it has. */
  async call<T>(
    call: EngineCall,
    options: { readonly onPart?: (part: StreamPart) => void; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    await this.start();
    // Nobody waits any more: a short call could be done before a cancel reaches the engine, and would then look like an answer.
    if (options.signal?.aborted === true) throw new StarboxError("cancelled", "The request was cancelled.", { zh: { message: "请求已取消。" } });
    const child = this.#child;
    if (child === null) throw new EngineCrash(false, "ended before the call");
    const id = this.#nextId++;
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    const cancel = (): void => {
      if (child.connected) child.send({ type: "cancel", id });
    };
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#pending.set(id, { onPart: options.onPart ?? (() => {}), resolve: (result) => resolve(result as T), reject, sent: false });
        if (!child.connected) {
          this.#pending.delete(id);
          reject(new EngineCrash(false, "ended before the call"));
          return;
        }
        child.send({ type: "call", id, call }, (error) => {
          if (error !== null && error !== undefined && this.#pending.delete(id)) reject(new EngineCrash(false, error.message));
        });
        options.signal?.addEventListener("abort", cancel, { once: true });
      });
    } finally {
      options.signal?.removeEventListener("abort", cancel);
    }
  }

  #armIdle(): void {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    if (this.#options.idleMs <= 0) return;
    this.#idleTimer = setTimeout(() => {
      if (this.#pending.size > 0) return;
      this.#options.logger.info({ engine: this.#options.name }, "engine unloaded after idle time");
      void this.stop();
    }, this.#options.idleMs);
    this.#idleTimer.unref();
  }

  /** Ends the process and waits for its end. A later call starts it again. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    this.#forget(child);
    child.kill("SIGKILL"); // it holds nothing that needs saving
    await ended;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.stop();
  }
}

/** Runs again, once, what a crash took down before anything was sent. */
export async function retryOnce<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof EngineCrash)) throw error;
    if (!error.sent) {
      try {
        return await attempt();
      } catch (again) {
        if (!(again instanceof EngineCrash)) throw again;
        throw crashed(again);
      }
    }
    throw crashed(error);
  }
}

function crashed(crash: EngineCrash): StarboxError {
  return new StarboxError("engine_crashed", `The engine ended in the middle of this request (${crash.message}).`, {
    hint: "It has been started again; send the request once more.",
    zh: { message: `引擎在处理此请求时意外退出（${crash.message}）。`, hint: "引擎会自动重启，请重新发送。" },
  });
}
