/** @file A box as its own process on a free port with a folder of its own, as a person would start it: for measurements from outside. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { StarboxError } from "#base";

export type SpawnedBox = {
  readonly url: string;
  readonly pid: number;
  /** Seconds from the start until /readyz said yes. */
  readonly readySeconds: number;
  /** A request of the operator; a failure is thrown with what the box said. */
  call(method: string, route: string, body?: string | Uint8Array | object): Promise<Response>;
  stop(): Promise<void>;
};

export type SpawnOptions = {
  /** The program's entry file. */
  readonly mainPath: string;
  readonly env: Readonly<Record<string, string>>;
  /** A folder with models that were pulled before: linked, not fetched again. */
  readonly modelsFrom?: string;
  readonly signal: AbortSignal;
};

export async function spawnBox({ mainPath, env, modelsFrom, signal }: SpawnOptions): Promise<SpawnedBox> {
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-bench-"));
  if (modelsFrom !== undefined && fs.existsSync(modelsFrom)) fs.symlinkSync(modelsFrom, path.join(dataDir, "models"));
  const started = performance.now();
  const child = spawn(process.execPath, ["--conditions=starbox-source", mainPath, "start", "--port", "0", "--data", dataDir, "--lang", "en"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: path.dirname(process.execPath), HOME: os.homedir(), ...env },
    signal,
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exited;
    fs.rmSync(dataDir, { recursive: true, force: true });
  };
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
    const token = fs.readFileSync(path.join(dataDir, "operator.token"), "utf8").trim();
    return {
      url,
      pid: child.pid ?? 0,
      readySeconds,
      async call(method, route, body) {
        const isJson = body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array);
        const response = await fetch(`${url}${route}`, {
          method,
          headers: { authorization: `Bearer ${token}`, "content-type": isJson ? "application/json" : "application/octet-stream" },
          ...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : (body as string | Uint8Array<ArrayBuffer>) }),
          signal,
        });
        if (!response.ok)
          throw new StarboxError(
            "internal",
            `${method} ${route}: ${response.status} ${(await response.text()).slice(0, 500)}\n${lastWarnings(dataDir)}`,
          );
        return response;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What the box itself wrote about its trouble. */
function lastWarnings(dataDir: string): string {
  try {
    const lines = fs
      .readFileSync(path.join(dataDir, "logs", "box.log"), "utf8")
      .trim()
      .split("\n");
    return lines
      .filter((line) => /"level":(40|50|60|"(warn|error|fatal)")/.test(line))
      .slice(-5)
      .join("\n");
  } catch {
    return "";
  }
}
