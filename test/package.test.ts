/** @file `starbox/compute` as a stranger gets it: the packed tarball in an empty folder, with nothing of the source tree, under plain `node`. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureNative } from "#compute";
import { projectRoot } from "../scripts/source-files.ts";

const home = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-package-"));
const installed = path.join(home, "node_modules", "starbox");
afterAll(() => fs.rmSync(home, { recursive: true, force: true }));

function run(command: string, args: readonly string[], cwd = home): { readonly status: number | null; readonly words: string } {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 1 << 26,
    shell: process.platform === "win32",
  });
  return { status, words: `${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}` };
}

/** The tarball unpacked where npm puts it, its dependencies as this clone has them: no registry is asked. */
beforeAll(async () => {
  const packed = run("npm", ["pack", "--pack-destination", home], projectRoot);
  expect(packed.status, packed.words).toBe(0);
  const tarball = fs.readdirSync(home).find((name) => name.endsWith(".tgz"))!;
  fs.mkdirSync(installed, { recursive: true });
  expect(run("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]).status).toBe(0);
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(installed, "package.json"), "utf8")) as { dependencies: Record<string, string> };
  for (const name of Object.keys(dependencies)) {
    const link = path.join(home, "node_modules", name);
    fs.mkdirSync(path.dirname(link), { recursive: true });
    fs.symlinkSync(path.join(projectRoot, "node_modules", name), link, "junction");
  }
  fs.writeFileSync(path.join(home, "package.json"), '{ "type": "module" }\n');
  // The same sources give the same library: what this machine compiled already is not compiled again.
  const library = await ensureNative();
  const kept = path.join(installed, "native", "build", path.basename(path.dirname(library)));
  fs.cpSync(path.dirname(library), kept, { recursive: true });
}, 600_000);

test("the tarball holds what the export needs, and nothing of the box", () => {
  const names = fs.readdirSync(installed, { recursive: true }).map(String);
  for (const needed of [
    "dist/src/compute/index.js",
    "dist/src/compute/index.d.ts",
    "native/build.mjs",
    "native/include/starbox_ops.h",
    "docs/compute.md",
  ])
    expect(names.map((name) => name.replaceAll("\\", "/"))).toContain(needed);
  expect(names.filter((name) => /^(src|test|console)[\\/]|dist[\\/]src[\\/](?!base|compute)|\.test\./.test(name))).toEqual([]);
});

test("the example trains there, with the kernels the package found by itself", { timeout: 400_000 }, () => {
  fs.copyFileSync(path.join(installed, "examples", "compute", "train.mjs"), path.join(home, "train.mjs"));
  expect(fs.readFileSync(path.join(home, "train.mjs"), "utf8").split("\n").length).toBeLessThanOrEqual(40);
  const { status, words } = run(process.execPath, ["train.mjs"]);
  expect(status, words).toBe(0);
  const losses = [...words.matchAll(/loss (\S+)/g)].map((match) => Number(match[1]));
  expect(losses.length).toBe(4);
  expect(losses[0]).toBeGreaterThan(0.1);
  expect(losses.at(-1)).toBeLessThan(0.01);
  const built = fs.readdirSync(path.join(installed, "native", "build"));
  expect(built.filter((name) => name.startsWith("release-")).length, `compiled anew: ${built.join()}`).toBe(1);
});

test("its types serve a TypeScript program", { timeout: 120_000 }, () => {
  const program = (type: string) =>
    `import { type Device, Graph, ReferenceDevice } from "starbox/compute";\nconst device: ${type} = new ReferenceDevice();\nconst g = new Graph();\ng.output("y", g.apply("exp", [g.input("x", "f32", [2])]));\nawait device.compile(g.build()).run({ inputs: { x: new Float32Array(2) } });\n`;
  fs.writeFileSync(path.join(home, "good.ts"), program("Device"));
  fs.writeFileSync(path.join(home, "bad.ts"), program("Graph"));
  const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2024", "--lib", "es2024,esnext.disposable"];
  const { words } = run(process.execPath, [path.join(projectRoot, "node_modules", "typescript", "bin", "tsc"), ...options, "good.ts", "bad.ts"]);
  const errors = words
    .trim()
    .split("\n")
    .filter((line) => /error TS/.test(line));
  expect(errors.length, words).toBeGreaterThan(0);
  expect(errors.filter((line) => !line.startsWith("bad.ts"))).toEqual([]);
});
