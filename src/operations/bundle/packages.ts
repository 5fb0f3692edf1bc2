/** @file Which installed packages the running box needs: what its source imports, and theirs. Console, build tools and tests stay out. */
import fs from "node:fs";
import path from "node:path";
import { StarboxError } from "#base";

type LockEntry = {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
};

const importPattern = /(?:from|import)\s*\(?\s*["']([^"'.#][^"']*)["']/g;

/** Packages named by import lines below `src`, tests left out. */
export function importedPackages(source: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const entry of fs.readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(ts|mjs)$/.test(entry.name) || entry.name.endsWith(".test.ts")) continue;
    const text = fs.readFileSync(path.join(entry.parentPath, entry.name), "utf8");
    for (const [, name = ""] of text.matchAll(importPattern)) {
      if (name.startsWith("node:")) continue;
      found.add(
        name
          .split("/")
          .slice(0, name.startsWith("@") ? 2 : 1)
          .join("/"),
      );
    }
  }
  return found;
}

const fits = (wanted: readonly string[] | undefined, mine: string): boolean =>
  wanted === undefined || (wanted.some((item) => !item.startsWith("!")) ? wanted.includes(mine) : !wanted.includes(`!${mine}`));

/** Folders below `root` to pack, in order: node_modules/hono … Nested copies are listed by themselves. */
export function runtimePackages(root: string): readonly string[] {
  const lockFile = path.join(root, "package-lock.json");
  const { packages } = JSON.parse(fs.readFileSync(lockFile, "utf8")) as { readonly packages: Readonly<Record<string, LockEntry>> };
  const own = packages[""]?.dependencies ?? {};
  const wanted = new Set<string>();
  const installed = (where: string): boolean => fs.existsSync(path.join(root, where, "package.json"));
  /** As Node looks for a package: beside, then one level further out. */
  const resolve = (from: string, name: string): string | null => {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
      const where = at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`;
      if (installed(where)) return where;
      if (at === "") return null;
      if (!at.includes("/node_modules/")) at = "";
      if (at === "" && installed(`node_modules/${name}`)) return `node_modules/${name}`;
      if (at === "") return null;
    }
  };
  const visit = (from: string, name: string, needed: boolean): void => {
    const where = resolve(from, name);
    if (where === null) {
      if (needed)
        throw new StarboxError("internal", `${name}, which ${from === "" ? "Starbox" : from} needs, is not installed.`, {
          hint: "Run ./starbox once, then bundle again.",
        });
      return;
    }
    if (wanted.has(where)) return;
    // A lock file made where a registry lacked some binaries does not list them: the package says it itself.
    const entry = packages[where] ?? (JSON.parse(fs.readFileSync(path.join(root, where, "package.json"), "utf8")) as LockEntry);
    if (!fits(entry.os, process.platform) || !fits(entry.cpu, process.arch) || !fits(entry.libc, "glibc")) return;
    wanted.add(where);
    for (const dependency of Object.keys(entry.dependencies ?? {})) visit(where, dependency, true);
    const manifest = JSON.parse(fs.readFileSync(path.join(root, where, "package.json"), "utf8")) as LockEntry;
    const peers = Object.keys(entry.peerDependencies ?? {}).filter((peer) => manifest.peerDependenciesMeta?.[peer]?.optional !== true);
    for (const dependency of [...Object.keys({ ...entry.optionalDependencies, ...manifest.optionalDependencies }), ...peers])
      visit(where, dependency, false);
  };
  for (const name of importedPackages(path.join(root, "src"))) if (name in own) visit("", name, true);
  return [...wanted].sort();
}
