/** @file What this machine is: cores, memory, disk, processes of the box. Read from the system, never guessed. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** Memory a container may use, where a cgroup limits it below the machine's. */
function memoryLimitBytes(): number {
  try {
    const raw = fs.readFileSync("/sys/fs/cgroup/memory.max", "utf8").trim();
    const limit = Number(raw);
    if (Number.isFinite(limit) && limit > 0) return Math.min(limit, os.totalmem());
  } catch {}
  return os.totalmem();
}

/** MemAvailable counts caches that can be given back; os.freemem() does not on every system. */
export function availableMemoryBytes(): number {
  try {
    const found = /^MemAvailable:\s+(\d+) kB/m.exec(fs.readFileSync("/proc/meminfo", "utf8"));
    if (found?.[1] !== undefined) return Number(found[1]) * 1024;
  } catch {}
  return os.freemem();
}

export function findGpu(): string | null {
  try {
    const nvidia = fs.readdirSync("/proc/driver/nvidia/gpus");
    if (nvidia.length > 0) return `NVIDIA × ${nvidia.length}`;
  } catch {}
  try {
    const render = fs.readdirSync("/dev/dri").filter((name) => name.startsWith("renderD"));
    if (render.length > 0) return `DRM × ${render.length}`;
  } catch {}
  return null;
}

export function readMachine() {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memoryBytes: memoryLimitBytes(),
    freeMemoryBytes: availableMemoryBytes(),
    platform: `${os.platform()} ${os.arch()} ${os.release()}`,
    gpu: findGpu(),
  };
}

export function readDisk(folder: string): { readonly totalBytes: number; readonly freeBytes: number } {
  const stats = fs.statfsSync(folder);
  return { totalBytes: stats.blocks * stats.bsize, freeBytes: stats.bavail * stats.bsize };
}

/** Bytes of every file below `folder`; files that vanish meanwhile count nothing. */
export function folderBytes(folder: string): number {
  let total = 0;
  let entries: fs.Dirent[];
  try {
    entries = fs.readdirSync(folder, { withFileTypes: true, recursive: true });
  } catch {
    return 0;
  }
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    try {
      total += fs.statSync(path.join(entry.parentPath, entry.name)).size;
    } catch {}
  }
  return total;
}

export type BoxProcess = { readonly name: string; readonly pid: number; readonly residentBytes: number };

/** Proportional set size where the kernel tells it (shared pages counted once), else resident set. */
export function processBytes(pid: number): number {
  try {
    const found = /^Pss:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
    if (found?.[1] !== undefined) return Number(found[1]) * 1024;
  } catch {}
  return pid === process.pid ? process.memoryUsage.rss() : 0;
}

function processName(pid: number): string {
  try {
    const words = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const script = words.find((word) => /\.(ts|js|mjs)$/.test(word)) ?? words[0] ?? "";
    return path.relative(process.cwd(), script).split(path.sep).slice(-2).join("/");
  } catch {
    return "process";
  }
}

/** Seconds of processor time of a process (this one unless named), of all below it, and of those that ended. 0 where the system does not tell. */
export function processorSeconds(root: number = process.pid): number {
  let ticks = 0;
  for (const { pid } of boxProcesses(root)) {
    try {
      const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      for (const field of fields.slice(11, 15)) ticks += Number(field); // own and ended children's, user and system
    } catch {}
  }
  return ticks / 100; // USER_HZ is 100 on every Linux that Node runs on
}

/** Seconds of processor time that everything but this process and those below it has used. null where the system does not tell. */
export function foreignSeconds(): number | null {
  try {
    const line = fs.readFileSync("/proc/stat", "utf8").split("\n", 1)[0] ?? "";
    const [user = Number.NaN, nice = 0, system = 0, , , irq = 0, softIrq = 0] = line.trim().split(/\s+/).slice(1).map(Number);
    const total = (user + nice + system + irq + softIrq) / 100;
    return Number.isFinite(total) ? total - processorSeconds() : null;
  } catch {
    return null;
  }
}

/** A process (this one unless named) and every process below it. */
export function boxProcesses(root: number = process.pid): readonly BoxProcess[] {
  const children = new Map<number, number[]>();
  try {
    for (const name of fs.readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const stat = fs.readFileSync(`/proc/${name}/stat`, "utf8");
        const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
        children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
      } catch {}
    }
  } catch {}
  const found: BoxProcess[] = [{ name: "box", pid: root, residentBytes: processBytes(root) }];
  const queue = [...(children.get(root) ?? [])];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    found.push({ name: processName(pid), pid, residentBytes: processBytes(pid) });
    queue.push(...(children.get(pid) ?? []));
  }
  return found;
}
