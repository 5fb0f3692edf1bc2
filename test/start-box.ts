/** @file Starts a real box as its own process for tests: the launcher's command line on a free port with a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const root = path.join(import.meta.dirname, "..");

export type StartedBox = {
  readonly url: string;
  readonly dataDir: string;
  /** Bearer token of the operator: everything is allowed. */
  readonly token: string;
  readonly setupCode: string | null;
  readonly process: ChildProcess;
  /** Everything the box printed. */
  output(): string;
  /** Waits for /readyz. */
  ready(timeoutMs?: number): Promise<void>;
  /** Ends it as an administrator would (SIGTERM) and removes the folder unless it was given. */
  stop(): Promise<void>;
};

/** Options: `env` adds settings (STARBOX_MODEL …); `dataDir` reuses a folder. Models are shared through STARBOX_TEST_MODELS (a folder kept between runs). */
export async function startBox(options: { readonly env?: Readonly<Record<string, string>>; readonly dataDir?: string } = {}): Promise<StartedBox> {
  const dataDir = options.dataDir ?? fs.mkdtempSync(path.join(os.tmpdir(), "starbox-test-"));
  const child = spawn(
    process.execPath,
    ["--conditions=starbox-source", path.join(root, "src/app/main.ts"), "start", "--port", "0", "--data", dataDir, "--lang", "en"],
    {
      cwd: root,
      env: { ...process.env, STARBOX_MODEL_FOLDER: testModelFolder(), ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (part: Buffer) => (output += part.toString()));
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const url = await waitFor(60_000, () => {
    if (child.exitCode !== null) throw new Error(`the box ended with ${child.exitCode}:\n${output}`);
    return /serves at (http:\S+)/.exec(output)?.[1] ?? null;
  });
  const token = await waitFor(5000, () =>
    fs.existsSync(path.join(dataDir, "operator.token")) ? fs.readFileSync(path.join(dataDir, "operator.token"), "utf8").trim() : null,
  );
  return {
    url,
    dataDir,
    token,
    // Printed after the address: read when asked for, not at the moment the address came.
    get setupCode() {
      return /administrator \(valid once\): (\S+)/.exec(output)?.[1] ?? null;
    },
    process: child,
    output: () => output,
    ready: async (timeoutMs = 180_000) => {
      await waitFor(timeoutMs, async () => {
        if (child.exitCode !== null) throw new Error(`the box ended with ${child.exitCode}:\n${output}`);
        return (await fetch(`${url}/readyz`)).ok ? true : null;
      });
    },
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      await exited;
      if (options.dataDir === undefined) fs.rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Where assembled model files are kept between test runs, so that each is fetched once a machine. */
export function testModelFolder(): string {
  return process.env["STARBOX_TEST_MODELS"] ?? path.join(root, "node_modules", ".starbox-models");
}

export async function waitFor<T>(timeoutMs: number, probe: () => T | null | Promise<T | null>): Promise<T> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== null) return found;
    if (Date.now() > until) throw new Error(`nothing within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
