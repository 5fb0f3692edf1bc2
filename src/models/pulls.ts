/** @file Pulls under way: one a model, joined by all who ask, with speed and time left. Knows how to watch, not how to fetch. */
import { StarboxError, toErrorRecord } from "#base";
import type { ModelInfo } from "#contracts";
import type { PullProgress } from "./pull/pull.ts";

type Running = {
  readonly controller: AbortController;
  readonly done: Promise<void>;
  progress: NonNullable<ModelInfo["progress"]>;
  markBytes: number;
  markAt: number;
};

export class Pulls {
  readonly #running = new Map<string, Running>();
  readonly #failed = new Map<string, NonNullable<ModelInfo["error"]>>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  progress(id: string): NonNullable<ModelInfo["progress"]> | undefined {
    return this.#running.get(id)?.progress;
  }
  failure(id: string): NonNullable<ModelInfo["error"]> | undefined {
    return this.#failed.get(id);
  }
  forget(id: string): void {
    this.#failed.delete(id);
  }

  start(id: string, work: (signal: AbortSignal, onProgress: (progress: PullProgress) => void) => Promise<void>): void {
    if (this.#running.has(id)) return;
    this.#failed.delete(id);
    const controller = new AbortController();
    const running: Running = {
      controller,
      markBytes: 0,
      markAt: performance.now(),
      progress: { receivedBytes: 0, totalBytes: null, bytesPerSecond: 0, etaSeconds: null, source: "" },
      // Begins after this record stands in the map, so that no progress is lost.
      done: Promise.resolve()
        .then(() => work(controller.signal, (progress) => this.#note(id, progress)))
        .then(
          () => this.#end(id),
          (error: unknown) => {
            this.#end(id);
            if (!StarboxError.is(error, "model_pull_cancelled") && !controller.signal.aborted) {
              const { code, message, hint } = toErrorRecord(error);
              this.#failed.set(id, { code, message, ...(hint === undefined ? {} : { hint }) });
            }
            this.#changed();
            throw controller.signal.aborted && !StarboxError.is(error)
              ? new StarboxError("model_pull_cancelled", `Pulling ${id} was cancelled.`, { zh: { message: `已取消下载 ${id}。` } })
              : error;
          },
        ),
    };
    running.done.catch(() => {}); // whoever waits sees it; nobody need wait
    this.#running.set(id, running);
    this.#changed();
  }

  #end(id: string): void {
    this.#running.delete(id);
    this.#changed();
  }

  #note(id: string, { receivedBytes, totalBytes, source }: PullProgress): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    const now = performance.now();
    let { bytesPerSecond } = running.progress;
    if (running.progress.source !== source) {
      running.markBytes = receivedBytes; // bytes kept from an earlier attempt are not speed
      running.markAt = now;
      bytesPerSecond = 0;
    } else if (now - running.markAt >= 500) {
      const current = Math.max(0, (1000 * (receivedBytes - running.markBytes)) / (now - running.markAt));
      bytesPerSecond = bytesPerSecond === 0 ? current : 0.7 * bytesPerSecond + 0.3 * current;
      running.markBytes = receivedBytes;
      running.markAt = now;
    }
    const etaSeconds = totalBytes !== null && bytesPerSecond > 0 ? Math.ceil((totalBytes - receivedBytes) / bytesPerSecond) : null;
    running.progress = { receivedBytes, totalBytes, bytesPerSecond: Math.round(bytesPerSecond), etaSeconds, source };
    this.#changed();
  }

  /** Settles with the pull; undefined when none is under way. */
  wait(id: string): Promise<void> | undefined {
    return this.#running.get(id)?.done;
  }

  async cancel(id: string): Promise<void> {
    const running = this.#running.get(id);
    running?.controller.abort();
    await running?.done.catch(() => {});
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((id) => this.cancel(id)));
  }
}
