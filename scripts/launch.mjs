/**
 * @file From a clone to a running program with nothing but Node ≥ 18 and npm: installs what package-lock.json says, brings the pinned
 * Node 26, builds the console when its sources changed. Plain JavaScript without dependencies, because it runs before there are any.
 * Not a place for product logic: what it starts is src/app/main.ts.
 *
 *   node scripts/launch.mjs run ARGS…       the command line (`./starbox`, `npm start`)
 *   node scripts/launch.mjs test ARGS…      all gates, with development dependencies (`npm test`)
 *   node scripts/launch.mjs script FILE …   one development script under Node 26
 *   node scripts/launch.mjs prepare ARGS…   only makes things ready and prints Node 26's path
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gpuBinaries, missingBinaries, nodeBinary } from "./launch-platform.mjs";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(root, "node_modules");
const stampFile = path.join(modules, ".starbox-stamp.json");
const consoleStamp = path.join(root, "console", "dist", ".stamp");

const zh = wantsChinese();
function wantsChinese() {
  const i = process.argv.indexOf("--lang");
  const chosen = i > 0 ? process.argv[i + 1] : process.env.STARBOX_LANG;
  if (chosen === "zh" || chosen === "en") return chosen === "zh";
  return /^zh/i.test(process.env.LC_ALL || process.env.LC_MESSAGES || process.env.LANG || "");
}
const say = (english, chinese) => process.stderr.write(`starbox: ${zh ? chinese : english}\n`);
function fail(english, chinese) {
  say(english, chinese);
  process.exit(1);
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

/** package.json's scripts may change without a new installation; what it depends on may not. */
function wantedHash() {
  const { dependencies, devDependencies, optionalDependencies, overrides } = readJson(path.join(root, "package.json")) || {};
  return sha256(
    JSON.stringify([dependencies, devDependencies, optionalDependencies, overrides]) + fs.readFileSync(path.join(root, "package-lock.json"), "utf8"),
  );
}

/** npm's own note of what it installed: lets a tree installed by hand pass without calling npm again. */
function installedByHand(dev) {
  const wanted = readJson(path.join(root, "package-lock.json"));
  const found = readJson(path.join(modules, ".package-lock.json"));
  if (!wanted || !found) return false;
  return Object.entries(wanted.packages).every(([where, entry]) => {
    if (where === "" || entry.optional || (!dev && (entry.dev || entry.devOptional)) || entry.peer) return true;
    return found.packages[where] !== undefined && found.packages[where].version === entry.version && fs.existsSync(path.join(root, where));
  });
}

/** What is installed now: null, "run" or "test" (with development dependencies). */
function installedLevel(hash) {
  if (!nodeBinary(modules)) return null;
  const stamp = readJson(stampFile);
  if (stamp && stamp.hash === hash) return stamp.level;
  const level = installedByHand(true) ? "test" : installedByHand(false) ? "run" : null;
  if (level !== null) fs.writeFileSync(stampFile, JSON.stringify({ hash, level }));
  return level;
}

/** Runs npm; true when it succeeded. When the launcher is told to stop, npm is too: left alone it would go on installing beside the next start. */
function npm(args) {
  const env = { ...process.env, NODE_LLAMA_CPP_SKIP_DOWNLOAD: "true", ONNXRUNTIME_NODE_INSTALL: "skip" };
  const windows = process.platform === "win32";
  return new Promise((resolve) => {
    // npm's output goes to stderr: stdout belongs to the command being run (`--json`).
    const child = spawn(windows ? "npm.cmd" : "npm", args, { cwd: root, env, stdio: ["ignore", 2, 2], shell: windows });
    const stop = (signal) => {
      child.kill(signal);
      child.once("exit", () => process.exit(1));
    };
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, stop);
    const done = (ok) => {
      for (const signal of signals) process.off(signal, stop);
      resolve(ok);
    };
    child.once("error", (error) => {
      if (error.code === "ENOENT")
        fail("npm was not found. Install Node.js with npm, then try again.", "找不到 npm。请安装带 npm 的 Node.js 后重试。");
      done(false);
    });
    child.once("exit", (code) => done(code === 0));
  });
}

/**
 * `npm install --no-save` and not `npm ci`: it honours the lock just the same, and does not stop where a registry lacks
 * some other platform's binaries, so that the lock file cannot list them.
 */
async function install(level, hash) {
  const first = !fs.existsSync(stampFile);
  say(
    first ? "first start: fetching the runtime and libraries (about 300 MB, once) …" : "libraries changed, updating …",
    first ? "首次启动：正在获取运行环境与依赖（约 300 MB，仅此一次）……" : "依赖有变化，正在更新……",
  );
  const args = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--include=optional"];
  if (process.stderr.isTTY) args.push("--progress=true");
  args.push(level === "test" ? "--include=dev" : "--omit=dev");
  // Once more after a pause: a dropped connection, or a tree that an interrupted installation left in pieces.
  if (!(await npm(args)) && (await pause(1500), !(await npm(args)))) {
    fail(
      "npm could not install the libraries (its message is above). Check the network or the registry (npm config get registry), then run the same command again: what was fetched is kept.",
      "npm 安装依赖失败（原因见上）。请检查网络或镜像源（npm config get registry），然后重新执行同一命令，已下载的部分不会丢失。",
    );
  }
  const missing = missingBinaries(modules);
  if (missing.length > 0)
    await npm([
      "install",
      "--no-save",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      ...(level === "test" ? [] : ["--omit=dev"]),
      ...missing,
    ]);
  if (!nodeBinary(modules)) {
    fail(
      `no Node 26 for ${process.platform}-${process.arch} in the registry. Starbox runs on linux-x64, linux-arm64, darwin-x64, darwin-arm64 and win32-x64.`,
      `软件源中没有适用于 ${process.platform}-${process.arch} 的 Node 26。星匣支持 linux-x64、linux-arm64、darwin-x64、darwin-arm64 和 win32-x64。`,
    );
  }
  await installGpuBinaries();
  fs.writeFileSync(stampFile, JSON.stringify({ hash, level }));
}

/** The CUDA and Vulkan engines (600 MB) are empty stand-ins in the lock file; a machine with that GPU gets the real ones here. */
async function installGpuBinaries() {
  for (const { name, spec } of gpuBinaries(modules)) {
    say(`a GPU was found: fetching ${name} …`, `检测到 GPU：正在获取 ${name}……`);
    const folder = fs.mkdtempSync(path.join(modules, ".starbox-gpu-"));
    const target = path.join(modules, ...name.split("/"));
    const packed =
      (await npm(["pack", spec, "--pack-destination", folder, "--loglevel=error"])) && fs.readdirSync(folder).find((file) => file.endsWith(".tgz"));
    const unpacked = packed && spawnSync("tar", ["-xzf", path.join(folder, packed), "-C", folder], { stdio: ["ignore", 2, 2] }).status === 0;
    if (unpacked) {
      fs.rmSync(target, { recursive: true, force: true });
      fs.renameSync(path.join(folder, "package"), target);
    } else {
      say(`${name} could not be fetched; the processor is used instead.`, `未能获取 ${name}，将改用处理器运行。`);
    }
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** The contents of everything the console is built from. */
function consoleHash() {
  const hash = createHash("sha256");
  const visit = (folder) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== "dist" && entry.name !== "node_modules") visit(file);
      } else if (!/\.test\.tsx?$/.test(entry.name)) {
        hash
          .update(`${path.relative(root, file)}\0`)
          .update(fs.readFileSync(file))
          .update("\0");
      }
    }
  };
  for (const folder of ["console", "src/client", "src/contracts"]) if (fs.existsSync(path.join(root, folder))) visit(path.join(root, folder));
  return hash.update(fs.readFileSync(path.join(root, "package-lock.json"))).digest("hex");
}

function buildConsole(node) {
  if (!fs.existsSync(path.join(root, "console", "vite.config.ts"))) return;
  const hash = consoleHash();
  if (fs.existsSync(consoleStamp) && fs.readFileSync(consoleStamp, "utf8") === hash) return;
  say("building the console …", "正在构建控制台……");
  const vite = path.join(modules, "vite", "bin", "vite.js");
  const result = spawnSync(node, [vite, "build", "--config", "vite.config.ts", "--logLevel", "warn"], {
    cwd: path.join(root, "console"),
    stdio: ["ignore", 2, 2],
  });
  if (result.status === 0 && fs.existsSync(path.dirname(consoleStamp))) fs.writeFileSync(consoleStamp, hash);
  else
    say(
      "the console could not be built (message above); the API and the command line work without it.",
      "控制台构建失败（原因见上）；API 与命令行仍可使用。",
    );
}

/** Two first starts at once would install over each other. */
async function withLock(work) {
  const lock = path.join(root, ".starbox", "launch.lock");
  fs.mkdirSync(path.dirname(lock), { recursive: true });
  for (let waited = 0; ; waited++) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      const holder = Number(readLock(lock));
      if (!alive(holder)) fs.rmSync(lock, { force: true });
      else {
        if (waited === 0) say(`process ${holder} is setting up; waiting …`, `进程 ${holder} 正在安装，请稍候……`);
        await pause(500);
      }
    }
  }
  const release = () => fs.rmSync(lock, { force: true });
  process.on("exit", release);
  try {
    return await work();
  } finally {
    release();
    process.off("exit", release);
  }
}
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function readLock(lock) {
  try {
    return fs.readFileSync(lock, "utf8");
  } catch {
    return "0";
  }
}
function alive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Everything in place for `level`; the path of Node 26. The warm path reads two files and calls nobody. */
async function prepare(level, withConsole) {
  const enough = (found) => found === "test" || found === level;
  const hash = wantedHash();
  if (!enough(installedLevel(hash))) await withLock(async () => enough(installedLevel(hash)) || (await install(level, hash)));
  const node = nodeBinary(modules);
  if (withConsole) buildConsole(node);
  return node;
}

function run(node, args) {
  if (typeof process.execve === "function" && process.platform !== "win32") process.execve(node, [node, ...args], process.env);
  const child = spawn(node, args, { stdio: "inherit" });
  // A terminal sends SIGINT to both; everything else is passed on.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    process.removeAllListeners();
    if (signal) process.kill(process.pid, signal);
    else process.exit(code === null ? 1 : code);
  });
}

const flags = ["--conditions=starbox-source", "--disable-warning=ExperimentalWarning"];
const serves = (args) => args[0] === "start" && !args.includes("--help") && !args.includes("-h");

async function main([verb, ...args]) {
  if (Number(process.versions.node.split(".")[0]) < 18)
    fail(`Node ${process.version} is too old: 18 or newer is needed to set up.`, `Node ${process.version} 版本过低，安装需要 18 或更高版本。`);
  if (verb === "prepare") process.stdout.write(await prepare("run", serves(args)));
  else if (verb === "run") run(await prepare("run", serves(args)), [...flags, path.join(root, "src", "app", "main.ts"), ...args]);
  else if (verb === "test") run(await prepare("test", true), [...flags, path.join(root, "scripts", "check.ts"), ...args]);
  else if (verb === "script") run(await prepare("test", false), [...flags, path.resolve(root, args[0]), ...args.slice(1)]);
  else fail(`unknown verb "${verb}"`, `未知命令“${verb}”`);
}

await main(process.argv.slice(2));
