/** @file Each gate is given a fault and must go red: a gate that never fails proves nothing. Faults are planted in a copy, never in the tree. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = path.dirname(import.meta.dirname);
/** Left out of the copy: the rooms' own tests (the planted ones are counted), and scripts over rooms that are not copied. */
const left =
  /\.test\.ts$|scripts\/(?:golden\/)?(?:make-samples|native-arm|record-plans|sanitize|schema-fixtures?(?:-between)?|screenshots|train-spans|export-weights|peft-logits)\.ts$/;
let copy: string;

beforeAll(() => {
  copy = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-gates-"));
  for (const name of [
    "src/base",
    "src/contracts",
    "src/client",
    "src/cli",
    "scripts",
    "docs/env.md",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    ".dependency-cruiser.cjs",
    "knip.json",
    "vitest.config.ts",
  ]) {
    fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true, filter: (file) => !left.test(file) });
  }
  fs.symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"));
});
afterAll(() => {
  fs.rmSync(copy, { recursive: true, force: true });
});

function run(...args: string[]): { readonly code: number | null; readonly said: string } {
  const result = spawnSync(process.execPath, ["--conditions=starbox-source", "--disable-warning=ExperimentalWarning", ...args], {
    cwd: copy,
    encoding: "utf8",
  });
  return { code: result.status, said: `${result.stdout}${result.stderr}` };
}

/** Runs the gate with the files in place and takes them away again. */
function planted(files: Readonly<Record<string, string>>, ...gate: string[]): ReturnType<typeof run> {
  const before = Object.keys(files).map(
    (name) => [name, fs.existsSync(path.join(copy, name)) ? fs.readFileSync(path.join(copy, name)) : null] as const,
  );
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(copy, name)), { recursive: true });
    fs.writeFileSync(path.join(copy, name), text);
  }
  try {
    return run(...gate);
  } finally {
    for (const [name, text] of before) {
      if (text === null) fs.rmSync(path.join(copy, name));
      else fs.writeFileSync(path.join(copy, name), text);
    }
  }
}

test("clean: rooms, size, settings page and lock file are green", () => {
  for (const gate of ["scripts/rooms.ts", "scripts/size-budget.ts", "scripts/env-docs.ts", "scripts/lock-honesty.ts"])
    expect(run(gate), gate).toMatchObject({ code: 0 });
});

test("rooms: an upward import, a side door, an unknown room, the environment", () => {
  const upward = planted(
    {
      "src/contracts/oops.ts": 'import { runCli } from "#cli";\nexport const oops = runCli;\n',
      "src/contracts/zz.ts": 'export { runCli } from "../cli/index.ts";\n',
    },
    "scripts/rooms.ts",
  );
  expect(upward.code).toBe(1);
  expect(upward.said).toContain("contracts-arrows: src/contracts/zz.ts -> src/cli/index.ts");
  const door = planted({ "src/cli/oops.ts": 'export { newId } from "../base/ids.ts";\n' }, "scripts/rooms.ts");
  expect(door.said).toContain("use-the-door: src/cli/oops.ts -> src/base/ids.ts");
  const room = planted(
    { "src/attic/index.ts": "export const attic = 1;\n", "src/attic/other.ts": 'export { attic } from "./index.ts";\n' },
    "scripts/rooms.ts",
  );
  expect(room.said).toContain("known-rooms: src/attic/other.ts");
  const environment = planted({ "src/cli/oops.ts": "export const home = process.env.HOME;\n" }, "scripts/rooms.ts");
  expect(environment.said).toContain("only-base-reads-the-environment: src/cli/oops.ts");
  expect([door.code, room.code, environment.code]).toEqual([1, 1, 1]);
});

test("unused code: an export that nobody imports", () => {
  const gate = "node_modules/knip/bin/knip.js";
  const found = planted({ "src/cli/oops.ts": "export const oops = 1;\n" }, gate, "--no-progress", "--no-config-hints");
  expect(found.code).not.toBe(0);
  expect(found.said).toContain("src/cli/oops.ts");
});

test("size budget: a file of 401 lines", () => {
  const found = planted({ "src/cli/long.ts": "// line\n".repeat(401) }, "scripts/size-budget.ts");
  expect(found).toMatchObject({ code: 1, said: expect.stringContaining("src/cli/long.ts: 401 lines, at most 400") });
});

test("settings page: a default that the page does not know", () => {
  const table = fs.readFileSync(path.join(copy, "src/base/settings.ts"), "utf8").replace("fallback: 8480", "fallback: 8481");
  expect(planted({ "src/base/settings.ts": table }, "scripts/env-docs.ts")).toMatchObject({ code: 1 });
});

test("lock file: a range, a missing hash", () => {
  const manifest = fs.readFileSync(path.join(copy, "package.json"), "utf8").replace(/"commander": "/, '"commander": "^');
  expect(planted({ "package.json": manifest }, "scripts/lock-honesty.ts")).toMatchObject({
    code: 1,
    said: expect.stringContaining("is not one exact version"),
  });
  const lock = fs.readFileSync(path.join(copy, "package-lock.json"), "utf8").replace(/"integrity": "[^"]+",/, "");
  expect(planted({ "package-lock.json": lock }, "scripts/lock-honesty.ts")).toMatchObject({
    code: 1,
    said: expect.stringContaining("has no integrity hash"),
  });
});

test("tests: a skip that is not allowed, a failure, nothing at all; the last line is the tally", () => {
  const vitest = ["node_modules/vitest/vitest.mjs", "run"];
  const head = 'import { expect, test } from "vitest";\n';
  const skipped = planted(
    { "src/cli/zz.test.ts": `${head}test("runs", () => expect(1).toBe(1));\ntest.skip("later", () => undefined);\n` },
    ...vitest,
  );
  expect(skipped.code).toBe(1);
  expect(skipped.said).toMatch(/FAILED skip not allowed: src\/cli\/zz\.test\.ts > later\n1 passed, 1 failed, 0 skipped\n/);
  const allowed = planted(
    {
      "src/cli/zz.test.ts": `${head}test("runs", () => expect(1).toBe(1));\ntest.skip("later", () => undefined);\n`,
      "scripts/allowed-skips.json": '[{"test": "zz.test.ts > later", "why": "shown here"}]',
    },
    ...vitest,
  );
  expect(allowed).toMatchObject({ code: 0, said: expect.stringMatching(/1 passed, 0 failed, 1 skipped\n/) });
  const failed = planted({ "src/cli/zz.test.ts": `${head}test("fails", () => expect(1).toBe(2));\n` }, ...vitest);
  expect(failed).toMatchObject({ code: 1, said: expect.stringMatching(/0 passed, 1 failed, 0 skipped\n/) });
  expect(run(...vitest)).toMatchObject({ code: 1, said: expect.stringContaining("no test ran") });
});
