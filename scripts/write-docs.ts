/** @file `npm run docs`: writes every generated page or part of a page (settings, room map, numbers in the README). */
import { spawnSync } from "node:child_process";
import { projectRoot } from "./source-files.ts";

const steps = [
  ["scripts/env-docs.ts", "--write"],
  ["scripts/rooms.ts", "--map"],
  ["scripts/readme-numbers.ts", "--write"],
] as const;
for (const [script, flag] of steps) {
  const result = spawnSync(process.execPath, [...process.execArgv, script, flag], { cwd: projectRoot, stdio: "inherit" });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
