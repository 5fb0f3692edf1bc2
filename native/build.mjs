/**
 * @file Compiles the native kernels with the system's C++ compiler into one shared library. Plain JavaScript without
 * dependencies: it runs at set-up. Objects are compiled side by side; a library is kept by the hash of everything that went into it.
 *
 *   node native/build.mjs [--variant release|emulated|asan|ubsan] [--quiet]     prints the library's path
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const native = path.dirname(fileURLToPath(import.meta.url));
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
const variants = {
  release: { flags: ["-O3"], link: [] },
  /** The AVX-512 tiers on a machine without them: intrinsics emulated by SIMDe (Debian: libsimde-dev). For tests only. */
  emulated: { flags: ["-O2", "-DSB_EMULATE"], link: [] },
  asan: { flags: ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address"], link: ["-fsanitize=address"] },
  ubsan: {
    flags: ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=undefined", "-fno-sanitize-recover=undefined"],
    link: ["-fsanitize=undefined"],
  },
};

/** What to compile: file and its flags. @param {string} architecture @param {string} variant */
export function translationUnits(architecture, variant) {
  const emulated = variant === "emulated";
  return ["core", "kernels"].flatMap((folder) =>
    fs
      .readdirSync(path.join(native, folder))
      .filter((name) => name.endsWith(".cpp"))
      .sort()
      .flatMap((name) => {
        const tier = tiers[name.split(".").at(-2)];
        // Quantised values are specified to the bit: no multiplication may be joined with an addition unless written so.
        const exact = name.startsWith("quant") ? ["-ffp-contract=off"] : [];
        if (tier === undefined) return [{ file: path.join(native, folder, name), flags: exact }];
        if (!tier.on.includes(architecture)) return [];
        const flags = emulated && tier.flags.length > 0 ? x86 : tier.flags;
        return [{ file: path.join(native, folder, name), flags: [`-DSB_TIER=${name.split(".").at(-2)}`, `-DSB_W=${tier.width}`, ...flags, ...exact] }];
      }),
  );
}

function sourcesHash(compiler, version, variant) {
  const hash = createHash("sha256").update(JSON.stringify([compiler, version, variant, variants[variant], common, tiers, process.arch]));
  for (const folder of ["include", "core", "kernels"]) {
    for (const name of fs.readdirSync(path.join(native, folder)).sort()) hash.update(name).update(fs.readFileSync(path.join(native, folder, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** The compiler's name and version, or null when there is none. `CXX` chooses another. */
export function findCompiler() {
  for (const compiler of [process.env.CXX, "c++", "g++", "clang++"].filter(Boolean)) {
    const found = spawnSync(compiler, ["--version"], { encoding: "utf8" });
    if (found.status === 0) return { compiler, version: found.stdout.split("\n")[0] };
  }
  return null;
}

/** Where the library of these sources lies, whether or not it was built yet; null without a compiler. */
export function libraryPath(variant = "release") {
  const found = findCompiler();
  if (found === null) return null;
  const suffix = process.platform === "darwin" ? "dylib" : "so";
  return path.join(native, "build", `${variant}-${sourcesHash(found.compiler, found.version, variant)}`, `libstarbox_ops.${suffix}`);
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

/**
 * Builds when needed and answers the library's path. Throws with the compiler's own words. Safe to call from several processes:
 * each works in a folder of its own, the last rename wins and gives the same bytes.
 * @param {{ variant?: string, progress?: (done: number, all: number) => void }} [options]
 */
export async function buildNative({ variant = "release", progress = () => {} } = {}) {
  if (variants[variant] === undefined) throw new Error(`no variant "${variant}": ${Object.keys(variants).join(", ")}`);
  const target = libraryPath(variant);
  if (target === null) throw new Error("no C++ compiler (c++, g++ or clang++) was found");
  if (fs.existsSync(target)) return target;
  const { compiler } = findCompiler();
  const folder = path.dirname(target);
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  const work = fs.mkdtempSync(`${folder}.tmp-`);
  try {
    // The slowest files first, so that the last ones to end are short.
    const units = translationUnits(process.arch, variant).sort((a, b) => fs.statSync(b.file).size - fs.statSync(a.file).size);
    const objects = units.map(({ file }) => path.join(work, `${path.basename(path.dirname(file))}-${path.basename(file)}.o`));
    let next = 0;
    let done = 0;
    const compileSome = async () => {
      while (next < units.length) {
        const i = next++;
        await run(compiler, [...common, ...variants[variant].flags, ...units[i].flags, "-c", units[i].file, "-o", objects[i]]);
        progress(++done, units.length);
      }
    };
    await Promise.all(Array.from({ length: os.availableParallelism() }, compileSome));
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
  }
  removeOld(path.dirname(folder), path.basename(folder), variant);
  return target;
}

/** Libraries of earlier sources, once they are a day old: another checkout state may still be running from them. */
function removeOld(builds, keep, variant) {
  for (const name of fs.readdirSync(builds)) {
    const folder = path.join(builds, name);
    if (name !== keep && name.startsWith(`${variant}-`) && Date.now() - fs.statSync(folder).mtimeMs > 86_400_000) fs.rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf("--variant");
  const since = Date.now();
  buildNative({
    variant: at > 0 ? process.argv[at + 1] : "release",
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
