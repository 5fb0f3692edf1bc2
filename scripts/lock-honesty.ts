/** @file package-lock.json must say what package.json asks for, pin every file by hash, and lead to no address of one person's registry. */
import fs from "node:fs";
import path from "node:path";
import { projectRoot } from "./source-files.ts";

type Wants = {
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
};
type Entry = Wants & {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
};

const read = (name: string): unknown => JSON.parse(fs.readFileSync(path.join(projectRoot, name), "utf8"));
const manifest = read("package.json") as Wants;
const { packages } = read("package-lock.json") as { readonly packages: Readonly<Record<string, Entry>> };
const problems: string[] = [];

for (const group of ["dependencies", "devDependencies", "optionalDependencies"] as const) {
  const wanted = manifest[group] ?? {};
  if (JSON.stringify(sorted(wanted)) !== JSON.stringify(sorted(packages[""]?.[group] ?? {})))
    problems.push(`package-lock.json does not have package.json's ${group}: run npm install`);
  for (const [name, range] of Object.entries(wanted)) {
    if (!/^\d+\.\d+\.\d+/.test(range)) problems.push(`${name}: "${range}" is not one exact version`);
    const entry = packages[`node_modules/${name}`];
    if (entry === undefined) problems.push(`${name} is not in package-lock.json`);
    else if (entry.version !== range) problems.push(`${name}: package.json says ${range}, package-lock.json ${entry.version}`);
  }
}
const entries = Object.entries(packages).filter(([where]) => where !== "");
for (const [where, entry] of entries) {
  if (entry.link === true) problems.push(`${where} is a link to a folder outside`);
  else if (entry.integrity === undefined) problems.push(`${where} has no integrity hash`);
  if (entry.resolved !== undefined && !entry.resolved.startsWith("https://registry.npmjs.org/"))
    problems.push(`${where} is bound to ${new URL(entry.resolved).host}`);
}
if (entries.length === 0) problems.push("no packages found: this gate looked at nothing");

function sorted(record: Record<string, string>): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

for (const problem of problems) console.error(problem);
console.log(`${entries.length} packages pinned`);
process.exit(problems.length > 0 ? 1 : 0);
