/** @file Memory of a box at rest: all its processes' proportional set size, 60 s after it is ready, without a model. */
import { spawnBox } from "./spawned-box.ts";

export type IdleOptions = {
  /** The program's entry file. */
  readonly mainPath: string;
  /** Bytes of this process and all below it. */
  readonly treeBytes: (pid: number) => number;
  readonly signal: AbortSignal;
  readonly settleMs?: number;
};

/** Megabytes (10^6) at rest, and seconds from the start until the box was ready. */
export async function measureIdle({
  mainPath,
  treeBytes,
  signal,
  settleMs = 60_000,
}: IdleOptions): Promise<{ readonly megabytes: number; readonly readySeconds: number }> {
  const box = await spawnBox({ mainPath, env: { STARBOX_MODEL: "none", STARBOX_EMBEDDER: "none" }, signal });
  try {
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    return { megabytes: treeBytes(box.pid) / 1e6, readySeconds: box.readySeconds };
  } finally {
    await box.stop();
  }
}
