/** @file Memory of a box at rest: all its processes' proportional set size, 60 s after it is ready, without a model. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { StarboxError } from "#base";

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
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-idle-"));
  const started = performance.now();
  const child = spawn(process.execPath, ["--conditions=starbox-source", mainPath, "start", "--port", "0", "--data", dataDir, "--lang", "en"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: path.dirname(process.execPath), HOME: os.homedir(), STARBOX_MODEL: "none", STARBOX_EMBEDDER: "none" },
    signal,
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  try {
    let printed = "";
    const url = await new Promise<string>((resolve, reject) => {
      child.stderr.on("data", (part: Buffer) => {
        printed += part.toString();
        const found = /serves at (http:\S+)/.exec(printed)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once("exit", (code) => reject(new StarboxError("internal", `The box ended with ${code} before it served:\n${printed}`)));
      child.once("error", reject);
    });
    while (!(await fetch(`${url}/readyz`, { signal })).ok) await new Promise((resolve) => setTimeout(resolve, 100));
    const readySeconds = (performance.now() - started) / 1000;
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    return { megabytes: treeBytes(child.pid ?? 0) / 1e6, readySeconds };
  } finally {
    child.kill("SIGTERM");
    await exited;
    fs.rmSync(dataDir, { recursive: true, force: true });
  }
}
