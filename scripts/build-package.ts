/** @file Compiles what the package exports (`starbox/compute`, and `base` under it) to JavaScript in dist/: Node strips no types inside node_modules. `npm pack` calls it. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { projectRoot } from "./source-files.ts";

fs.rmSync(path.join(projectRoot, "dist"), { recursive: true, force: true });
const tsc = path.join(projectRoot, "node_modules", "typescript", "bin", "tsc");
const { status } = spawnSync(process.execPath, [tsc, "-p", path.join(projectRoot, "tsconfig.package.json")], { stdio: ["ignore", 2, 2] });
process.exitCode = status ?? 1;
