/**
 * @file From one file, on a machine with nothing on it, behind a network that swallows everything and counts: set-up, ingestion, chat,
 * administration. Zero packets. Then the same with calls planted whose errors are swallowed: the proof must see them.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleName, createBundle } from "#operations";
import { type BareMachine, enter, makeBareMachine } from "./network/bare-machine.ts";
import { type BlackHole, openBlackHole, whyNoNamespaces } from "./network/black-hole.ts";
import { openTestModels, testEmbedder, testLanguageModel } from "./real-models.ts";

const missing = whyNoNamespaces();
const root = path.join(import.meta.dirname, "..");

type Journey = {
  readonly readySeconds: number;
  readonly documents: number;
  readonly mode: string;
  readonly found: boolean;
  readonly answered: boolean;
  readonly chatted: boolean;
  readonly wrote: boolean;
  readonly pulled: string;
  readonly rehearsed: boolean;
  readonly refused: number;
};

describe.skipIf(missing !== null)("a bare machine behind a black hole", () => {
  let folder = "";
  let hole: BlackHole;
  let machine: BareMachine;

  beforeAll(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-egress-"));
    const { dataDir, models, close } = await openTestModels([testLanguageModel, testEmbedder]);
    const bundle = path.join(folder, "starbox.bundle");
    const list = await models.list();
    await createBundle({
      root,
      out: bundle,
      version: "0.0.0-test",
      commit: null,
      models: [testLanguageModel, testEmbedder].map((id) => {
        const model = list.find((item) => item.id === id);
        return { id, kind: model?.kind ?? "", filePath: path.join(dataDir, "models", `sha256-${model?.sha256}.gguf`) };
      }),
    });
    await close();
    hole = await openBlackHole();
    machine = makeBareMachine(bundle, hole.nameserver);
  });
  afterAll(() => {
    hole?.close();
    machine?.remove();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  /** Starts the box with one command, walks the journey, stops it. */
  async function walk(
    data: string,
    port: number,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Journey & { readonly packets: number; readonly names: readonly string[] }> {
    const before = hole.seen();
    const box = hole.run(["sh", "-c", enter(machine.root, `sh /srv/starbox.bundle start --data /srv/${data} --port ${port}`)], {
      LANG: "C.UTF-8",
      HOME: "/root",
      ...env,
    });
    let said = "";
    for (const stream of [box.stdout, box.stderr]) stream?.on("data", (part: Buffer) => (said += part.toString()));
    const ended = new Promise<void>((resolve) => box.once("exit", () => resolve()));
    try {
      const script = path.join(import.meta.dirname, "network/journey.ts");
      const person = hole.run([
        process.execPath,
        "--disable-warning=ExperimentalWarning",
        script,
        `http://127.0.0.1:${port}`,
        path.join(machine.root, `srv/${data}/operator.token`),
      ]);
      let line = "";
      let trouble = "";
      person.stdout?.on("data", (part: Buffer) => (line += part.toString()));
      person.stderr?.on("data", (part: Buffer) => (trouble += part.toString()));
      const code = await Promise.race([new Promise((resolve) => person.once("exit", resolve)), ended.then(() => "the box ended")]);
      expect(code, `${trouble}\n${said}`).toBe(0);
      const after = hole.seen();
      return { ...(JSON.parse(line) as Journey), packets: after.packets - before.packets, names: after.names.slice(before.names.length) };
    } finally {
      // The shells in front of the box do not pass a signal on: everything in there is told.
      hole.end("SIGTERM");
      await ended;
    }
  }

  test("one command serves within ten minutes, everything works, and not one packet leaves", { timeout: 900_000 }, async () => {
    for (const absent of ["bin/node", "usr/bin/node", "bin/npm", "lib/x86_64-linux-gnu/libstdc++.so.6"])
      expect(fs.existsSync(path.join(machine.root, absent))).toBe(false);
    const day = await walk("first", 8541);
    expect(day).toMatchObject({ mode: "hybrid", found: true, answered: true, chatted: true, wrote: true, rehearsed: true });
    expect(day.readySeconds).toBeLessThan(600);
    expect(day.pulled).not.toBe("ready");
    expect([day.packets, day.names, day.refused]).toEqual([0, [], 0]);
    process.stdout.write(`  ready ${day.readySeconds.toFixed(1)} s after the command, ${day.packets} packets\n`);
  });

  test("a planted call is seen although its error is swallowed: from a process of its own as packets and a name, from inside as refused", {
    timeout: 300_000,
  }, async () => {
    const call = 'fetch("http://telemetry.example.org/beat").catch(() => {})';
    const child = `const { spawn } = require("node:child_process"); spawn(process.execPath, ["-e", ${JSON.stringify(call)}], { env: { LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH }, stdio: "ignore" });`;
    fs.writeFileSync(
      path.join(machine.root, "srv/plant.cjs"),
      `if (process.argv[1]?.endsWith("app/main.ts")) { ${child} setTimeout(() => { ${call} }, 1000); }`,
    );
    const day = await walk("planted", 8542, { NODE_OPTIONS: "--require=/srv/plant.cjs" });
    expect(day.packets).toBeGreaterThan(0);
    expect(day.names).toContain("telemetry.example.org");
    expect(day.refused).toBeGreaterThan(0);
  });

  test("another bundle beside it: unpacked, tried on a copy of the data, one link changed; and back", { timeout: 300_000 }, async () => {
    const next = path.join(machine.root, "srv/next.bundle");
    const made = await createBundle({ root, out: next, version: "0.0.1-test", commit: null, models: [] });
    const inside = async (command: string): Promise<string> => {
      const child = hole.run(["sh", "-c", enter(machine.root, command)], { LANG: "C.UTF-8", HOME: "/root" });
      let said = "";
      for (const stream of [child.stdout, child.stderr]) stream?.on("data", (part: Buffer) => (said += part.toString()));
      const code = await new Promise((resolve) => child.once("exit", resolve));
      return `${code} ${said}`;
    };
    const current = (): string => path.basename(fs.readlinkSync(path.join(machine.root, "opt/starbox/current")));
    expect(current()).toMatch(/^0\.0\.0-test-/);
    expect(await inside("sh /srv/next.bundle --version")).toMatch(/^1 .*upgrade/s);
    expect(await inside("/opt/starbox/starbox upgrade /srv/next.bundle --data /srv/first")).toMatch(/^0 /);
    expect(current()).toBe(bundleName(made.meta));
    expect(await inside("/opt/starbox/starbox kb list --json --data /srv/first")).toContain("制度");
    // One byte changed on its way: nothing is unpacked, nothing changes.
    const broken = fs.openSync(next, "r+");
    fs.writeSync(broken, Buffer.from([0xff, 0xff, 0xff]), 0, 3, made.meta.payload.offset + 5000);
    fs.closeSync(broken);
    fs.rmSync(path.join(machine.root, "opt/starbox/versions", bundleName(made.meta)), { recursive: true });
    expect(await inside("/opt/starbox/versions/*/run upgrade --back --data /srv/first; /opt/starbox/starbox --version")).toMatch(/^0 /);
    expect(current()).toMatch(/^0\.0\.0-test-/);
    expect(await inside("/opt/starbox/starbox upgrade /srv/next.bundle --data /srv/first")).toMatch(/^1 /);
    expect(current()).toMatch(/^0\.0\.0-test-/);
  });
});
