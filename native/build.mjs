/**
 * @file Compiles the native kernels with the system's C++ compiler into one shared library. Plain JavaScript without
 * dependencies: it runs at set-up. Objects are compiled side by side; a library is kept by the hash of everything that went into it.
 *
 *   node native/build.mjs [--variant release|emulated|asan|tsan] [--arch arm64] [--replay] [--quiet]
 *
 * prints the library's path, or with --replay the path of the program that runs recorded plans (native/replay), beside it.
 * Another architecture takes a cross compiler: $CXX, or Debian's (g++-aarch64-linux-gnu).
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const native = path.dirname(fileURLToPath(import.meta.url));
/** Beside the sources; where they cannot be written to (a package installed by another user), in the user's cache. */
const builds = (() => {
  const beside = path.join(native, "build");
  try {
    fs.mkdirSync(beside, { recursive: true });
    fs.accessSync(beside, fs.constants.W_OK);
    return beside;
  } catch {
    return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "starbox", "native");
  }
})();
const x86 = ["-mavx2", "-mfma", "-mf16c"];
const x86Wide = ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mprefer-vector-width=512", ...x86];

/** File name's tier -> floats a vector, flags, architectures. */
const tiers = {
  base: { width: 4, flags: [], on: ["x64", "arm64"] },
  avx2: { width: 8, flags: x86, on: ["x64"] },
  avx512: { width: 16, flags: x86Wide, on: ["x64"] },
  avx512bf16: { width: 16, flags: [...x86Wide, "-mavx512vnni", "-mavx512bf16"], on: ["x64"] },
  neon: { width: 4, flags: [], on: ["arm64"] },
  neonbf16: { width: 4, flags: ["-march=armv8.2-a+bf16+i8mm+dotprod+fp16"], on: ["arm64"] },
};

const common = ["-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-math-errno", "-Wall", "-Wextra", "-pthread"];
const sanitized = ["-O1", "-g1", "-fno-omit-frame-pointer"];
const variants = {
  release: { flags: ["-O3"], link: [] },
  /** The AVX-512 tiers on a machine without them: intrinsics emulated by SIMDe (Debian: libsimde-dev). For tests only. */
  emulated: { flags: ["-O2", "-DSB_EMULATE"], link: [] },
  /** Reads and writes out of bounds, and what C++ leaves undefined. */
  asan: { flags: [...sanitized, "-fsanitize=address,undefined"], link: ["-fsanitize=address,undefined"] },
  /** Races between threads. */
  tsan: { flags: [...sanitized, "-fsanitize=thread"], link: ["-fsanitize=thread"] },
};
/** Sanitized builds leave the AVX-512 tiers out, which take most of the time to compile: where they are named, AVX2's table stands. */
const withoutWide = ["elementwise", "shape", "norm", "attention", "matmul", "quant", "probe"].flatMap((family) =>
  ["avx512", "avx512bf16"].map((tier) => `-D${family}_${tier}=${family}_avx2`),
);
const crossCompilers = { arm64: ["aarch64-linux-gnu-g++"], x64: ["x86_64-linux-gnu-g++"] };

/** What to compile: file and its flags. @param {string} architecture @param {string} variant @param {string} sources */
function translationUnits(architecture, variant, sources) {
  const emulated = variant === "emulated";
  const narrow = architecture === "x64" && (variant === "asan" || variant === "tsan");
  return ["core", "kernels"].flatMap((folder) =>
    fs
      .readdirSync(path.join(sources, folder))
      .filter((name) => name.endsWith(".cpp"))
      .sort()
      .flatMap((name) => {
        const tier = tiers[name.split(".").at(-2)];
        // Quantised values are specified to the bit: no multiplication may be joined with an addition unless written so.
        const exact = name.startsWith("quant") ? ["-ffp-contract=off"] : [];
        if (tier === undefined) return [{ file: path.join(sources, folder, name), flags: narrow ? [...exact, ...withoutWide] : exact }];
        if (!tier.on.includes(architecture) || (narrow && tier.width === 16)) return [];
        const flags = emulated && tier.flags.length > 0 ? x86 : tier.flags;
        return [{ file: path.join(sources, folder, name), flags: [`-DSB_TIER=${name.split(".").at(-2)}`, `-DSB_W=${tier.width}`, ...flags, ...exact] }];
      }),
  );
}

/** Of the sources of some folders (under `sources`) and of everything else that decides what comes out. */
function hashOf(sources, folders, more, keep = () => true) {
  const hash = createHash("sha256").update(JSON.stringify(more));
  for (const folder of folders) {
    for (const name of fs.readdirSync(path.join(sources, folder)).sort()) if (keep(name)) hash.update(name).update(fs.readFileSync(path.join(sources, folder, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** The compiler's name and version, or null when there is none. `CXX` chooses another. @param {string} architecture */
export function findCompiler(architecture = process.arch) {
  const known = architecture === process.arch ? ["c++", "g++", "clang++"] : (crossCompilers[architecture] ?? []);
  for (const compiler of [process.env.CXX, ...known].filter(Boolean)) {
    const found = spawnSync(compiler, ["--version"], { encoding: "utf8" });
    if (found.status === 0) return { compiler, version: found.stdout.split("\n")[0] };
  }
  return null;
}

/** Where the library of these sources lies, whether or not it was built yet; null without a compiler. */
export function libraryPath(variant = "release", architecture = process.arch, sources = native) {
  const found = findCompiler(architecture);
  if (found === null) return null;
  const suffix = process.platform === "darwin" ? "dylib" : "so";
  const hash = hashOf(sources, ["include", "core", "kernels"], [found, variant, variants[variant], common, tiers, withoutWide, architecture]);
  return path.join(builds, `${variant}${architecture === process.arch ? "" : `-${architecture}`}-${hash}`, `libstarbox_ops.${suffix}`);
}

/** How long a file takes to compile, roughly: products and attention have most instances, wide tiers most code. */
function cost(file) {
  const [family, tier] = path.basename(file).split(".");
  const weight = { matmul: 8, attention: 6, quant: 6, elementwise: 4, shape: 3, norm: 2 }[family] ?? 1;
  return (tier === "cpp" ? 2 : weight * 10) + (tier?.startsWith("avx512") ? 5 : 0);
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      errors += text;
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => (code === 0 ? resolve(errors) : reject(new Error(errors.trim() || `${command} ended with ${code ?? signal}`))));
  });
}

/** One process compiles at a time, the others wait for its library: two at once would take twice as long each. Answers how to let the next one in. */
async function takeTurn(lock) {
  for (;;) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: "wx" });
      return () => fs.rmSync(lock, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!isHeld(lock)) fs.rmSync(lock, { force: true }); // its owner was killed
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function isHeld(lock) {
  try {
    if (Date.now() - fs.statSync(lock).mtimeMs < 1000) return true; // perhaps not written yet
    process.kill(Number(fs.readFileSync(lock, "utf8")), 0);
    return true;
  } catch (error) {
    return error.code !== "ESRCH"; // another user's is alive; one that went is tried again
  }
}

/**
 * Builds when needed and answers the library's path. Throws with the compiler's own words. Safe to call from several processes:
 * each works in a folder of its own, a rename makes it the library.
 * @param {{ variant?: string, architecture?: string, sources?: string, progress?: (done: number, all: number) => void }} [options]
 *   `sources`: another folder with core, include and kernels (tests plant faults in a copy).
 */
export async function buildNative({ variant = "release", architecture = process.arch, sources = native, progress = () => {} } = {}) {
  if (variants[variant] === undefined) throw new Error(`no variant "${variant}": ${Object.keys(variants).join(", ")}`);
  const target = libraryPath(variant, architecture, sources);
  if (target === null) throw new Error(`no C++ compiler for ${architecture} (${architecture === process.arch ? "c++, g++ or clang++" : crossCompilers[architecture]}) was found`);
  if (fs.existsSync(target)) return target;
  const { compiler, version } = findCompiler(architecture);
  const folder = path.dirname(target);
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  const release = await takeTurn(`${folder}.lock`);
  if (fs.existsSync(target)) {
    release();
    return target;
  }
  const work = fs.mkdtempSync(`${folder}.tmp-`);
  try {
    // The slowest files first, so that the last ones to end are short.
    const units = translationUnits(architecture, variant, sources).sort((a, b) => cost(b.file) - cost(a.file));
    const headers = hashOf(sources, ["include", "core", "kernels"], [compiler, version, common], (name) => !name.endsWith(".cpp"));
    const objects = units.map(({ file }) => path.join(work, `${path.basename(path.dirname(file))}-${path.basename(file)}.o`));
    let next = 0;
    let done = 0;
    const compileSome = async () => {
      while (next < units.length) {
        const i = next++;
        const flags = [...common, ...variants[variant].flags, ...units[i].flags];
        await compileOnce(compiler, flags, units[i].file, objects[i], variant === "release" ? null : headers);
        progress(++done, units.length);
      }
    };
    // No more jobs than memory bears: a compiler takes up to 700 MB.
    const jobs = Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2 ** 30)));
    await Promise.all(Array.from({ length: jobs }, compileSome));
    const built = path.join(work, path.basename(target));
    await run(compiler, ["-shared", "-pthread", ...variants[variant].link, ...objects, "-o", built]);
    for (const object of objects) fs.rmSync(object);
    try {
      fs.renameSync(work, folder);
    } catch (error) {
      if (!fs.existsSync(target)) throw error;
    }
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
    release();
  }
  removeOld(path.basename(folder), variant);
  return target;
}

/** Objects of test builds are kept by content (`headers`: a hash of all of them): a build with one file changed takes seconds. */
async function compileOnce(compiler, flags, file, object, headers) {
  if (headers === null) return run(compiler, [...flags, "-c", file, "-o", object]);
  const key = createHash("sha256").update(JSON.stringify([headers, flags, path.basename(file)])).update(fs.readFileSync(file)).digest("hex").slice(0, 24);
  const kept = path.join(builds, "objects", `${key}.o`);
  if (!fs.existsSync(kept)) {
    fs.mkdirSync(path.dirname(kept), { recursive: true });
    await run(compiler, [...flags, "-c", file, "-o", object]);
    fs.copyFileSync(object, `${kept}.${process.pid}`);
    fs.renameSync(`${kept}.${process.pid}`, kept);
  } else fs.copyFileSync(kept, object);
  const now = new Date();
  fs.utimesSync(kept, now, now);
}

/** The program that runs recorded plans, linked with the library beside it. @param {Parameters<typeof buildNative>[0]} [options] */
export async function buildReplay({ variant = "release", architecture = process.arch, ...more } = {}) {
  const library = await buildNative({ variant, architecture, ...more });
  const { compiler } = findCompiler(architecture);
  const folder = path.dirname(library);
  const target = path.join(folder, `replay-${hashOf(native, ["include", "replay"], [])}`);
  if (fs.existsSync(target)) return target;
  const files = fs.readdirSync(path.join(native, "replay")).filter((name) => name.endsWith(".cpp"));
  const own = `${target}.${process.pid}`;
  const optimise = variant === "emulated" || variant === "release" ? ["-O2"] : variants[variant].flags;
  await run(compiler, [...common, ...optimise, ...files.map((name) => path.join(native, "replay", name)), library, ...variants[variant].link, "-Wl,-rpath,$ORIGIN", "-o", own]);
  fs.renameSync(own, target);
  return target;
}

/** Libraries of earlier sources, once they are a day old: another checkout state may still be running from them. */
function removeOld(keep, variant) {
  const objects = path.join(builds, "objects");
  for (const name of fs.existsSync(objects) ? fs.readdirSync(objects) : []) {
    if (Date.now() - fs.statSync(path.join(objects, name)).mtimeMs > 7 * 86_400_000) fs.rmSync(path.join(objects, name), { force: true });
  }
  for (const name of fs.readdirSync(builds)) {
    const folder = path.join(builds, name);
    if (name !== keep && name.startsWith(`${variant}-`) && Date.now() - fs.statSync(folder).mtimeMs > 86_400_000) fs.rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name, fallback) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : fallback);
  const since = Date.now();
  (process.argv.includes("--replay") ? buildReplay : buildNative)({
    variant: option("--variant", "release"),
    architecture: option("--arch", process.arch),
    progress: (done, all) => process.argv.includes("--quiet") || process.stderr.write(`\rstarbox: native kernels ${done}/${all} `),
  }).then(
    (file) => {
      if (!process.argv.includes("--quiet")) process.stderr.write(`${((Date.now() - since) / 1000).toFixed(1)} s\n`);
      process.stdout.write(`${file}\n`);
    },
    (error) => {
      process.stderr.write(`\nstarbox: native kernels were not built: ${error.message}\n`);
      process.exitCode = 1;
    },
  );
}
