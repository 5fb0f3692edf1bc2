/** @file The arrows between rooms, checked by dependency-cruiser, and a proof that it saw every file. With --map: writes the picture into docs/map.md. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { projectRoot, sourceFiles } from "./source-files.ts";

type Cruise = {
  readonly summary: {
    readonly violations: readonly {
      readonly rule: { readonly name: string; readonly severity: string };
      readonly from: string;
      readonly to: string;
    }[];
  };
  readonly modules: readonly { readonly source: string; readonly dependencies: readonly { readonly resolved: string }[] }[];
};

const folders = ["src", "console/src", "test", "scripts"].filter((folder) => fs.existsSync(path.join(projectRoot, folder)));
const bin = path.join(projectRoot, "node_modules", "dependency-cruiser", "bin", "dependency-cruise.mjs");
const cruise = (...args: readonly string[]): string =>
  execFileSync(process.execPath, [bin, ...args, "--config", ".dependency-cruiser.cjs"], { cwd: projectRoot, encoding: "utf8", maxBuffer: 1 << 29 });

/** They listen, or they talk to a box whose address they were given. */
const mayDial = /^src\/(client\/http|cli\/connect|audit\/syslog|server\/(server|tls)|bench\/.*)\.ts$/;

function check(): number {
  // "err" output would exit 1 by itself; "json" lets us also ask what was seen.
  const { modules, summary } = JSON.parse(cruise(...folders, "-T", "json")) as Cruise;
  const problems = summary.violations.filter(({ rule }) => rule.severity === "error").map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
  const seen = new Set(modules.map(({ source }) => source));
  const files = sourceFiles(folders);
  const unseen = files.filter((file) => !seen.has(file));
  if (files.length === 0 || unseen.length > 0)
    problems.push(`${unseen.length} of ${files.length} files were not seen by the check: ${unseen.slice(0, 5).join(", ")}`);
  for (const file of files) {
    const text =
      file.startsWith("src/") && !file.startsWith("src/base/") && !file.endsWith(".test.ts")
        ? fs.readFileSync(path.join(projectRoot, file), "utf8")
        : "";
    if (
      /(?<![.\w])fetch\(|\bglobalThis\.fetch\b|from "node:(http|https|http2|tls|dgram|dns)"/.test(text.replace(/import type .*/g, "")) &&
      !mayDial.test(file)
    )
      problems.push(`only-outbound-reaches-out: ${file} (use outbound.fetch of #base)`);
    if (/\bprocess\.env\b/.test(text)) problems.push(`only-base-reads-the-environment: ${file}`);
  }
  for (const problem of problems) console.error(problem);
  console.log(`${files.length} files, all seen; ${problems.length} violations`);
  return problems.length > 0 ? 1 : 0;
}

/** Who imports whom, as found; arrows to `base` and `contracts` are left out, since nearly every room has them. */
function writeMap(): void {
  const { modules } = JSON.parse(cruise("src", "-T", "json")) as Cruise;
  const arrows = new Set<string>();
  const roomOf = (file: string): string | undefined => /^src\/([^/]+)\//.exec(file)?.[1];
  for (const { source, dependencies } of modules) {
    const from = roomOf(source);
    if (from === undefined || source.endsWith(".test.ts")) continue;
    for (const { resolved } of dependencies) {
      const to = roomOf(resolved);
      if (to !== undefined && to !== from && to !== "base" && to !== "contracts") arrows.add(`  ${from} --> ${to}`);
    }
  }
  const picture = ["flowchart LR", '  every["every room"] --> contracts --> base', ...[...arrows].sort()].join("\n");
  const file = path.join(projectRoot, "docs", "map.md");
  const text = fs.readFileSync(file, "utf8");
  fs.writeFileSync(
    file,
    text.replace(/<!-- rooms -->[\s\S]*<!-- \/rooms -->/, () => `<!-- rooms -->\n\`\`\`mermaid\n${picture}\n\`\`\`\n<!-- /rooms -->`),
  );
}

if (process.argv.includes("--map")) writeMap();
else process.exit(check());
