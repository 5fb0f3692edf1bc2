/** @file Whether a model fits into memory before anything is loaded, and what would. Reads the file's header, no weights. */
import fs from "node:fs";
import os from "node:os";
import { StarboxError } from "#base";
import { loadGgufHeader } from "#formats";

export type MemoryPlan = { readonly weightsBytes: number; readonly contextBytes: number; readonly workBytes: number; readonly totalBytes: number };

/** What the machine (or the container around the box) can still give, caches that can be dropped included. */
export function availableMemoryBytes(): number {
  let available = os.freemem();
  try {
    const found = /^MemAvailable:\s+(\d+) kB/m.exec(fs.readFileSync("/proc/meminfo", "utf8"));
    if (found?.[1] !== undefined) available = Number(found[1]) * 1024;
    const limit = Number(fs.readFileSync("/sys/fs/cgroup/memory.max", "utf8").trim());
    const current = Number(fs.readFileSync("/sys/fs/cgroup/memory.current", "utf8").trim());
    const cache = Number(/^inactive_file (\d+)/m.exec(fs.readFileSync("/sys/fs/cgroup/memory.stat", "utf8"))?.[1] ?? 0);
    if (Number.isFinite(limit) && Number.isFinite(current)) available = Math.min(available, limit - current + cache);
  } catch {
    // no cgroup, or not Linux: the machine's own figure stands
  }
  return available;
}

/** Weights may lie wider or twice for a part (repacked for the processor), hence the share on top; keys and values are kept in 16 bit. */
export async function planMemory(filePath: string, options: { readonly contextTokens: number; readonly parallel: number }): Promise<MemoryPlan> {
  const { metadata } = await loadGgufHeader(filePath);
  const family = String(metadata.get("general.architecture") ?? "");
  const number = (key: string, otherwise: number): number => {
    const found = metadata.get(`${family}.${key}`);
    return typeof found === "number" ? found : otherwise;
  };
  const width = number("embedding_length", 4096);
  const heads = Math.max(1, number("attention.head_count", 32));
  const headWidth = number("attention.key_length", width / heads);
  const causal = metadata.get(`${family}.attention.causal`) !== false;
  const perToken = causal ? 2 * 2 * number("block_count", 32) * number("attention.head_count_kv", heads) * headWidth : 0;
  const weightsBytes = Math.round(fs.statSync(filePath).size * 1.3);
  const contextBytes = perToken * options.contextTokens * options.parallel;
  const workBytes = (causal ? 256 : 96) * 2 ** 20;
  return { weightsBytes, contextBytes, workBytes, totalBytes: weightsBytes + contextBytes + workBytes };
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

export function tooLarge(id: string, plan: MemoryPlan, freeBytes: number, fits: readonly string[]): StarboxError {
  const fixed = plan.weightsBytes + plan.workBytes;
  const share = plan.contextBytes > 0 ? (freeBytes - fixed) / plan.contextBytes : 0;
  const smaller = share > 0.1 ? `With STARBOX_CONTEXT or STARBOX_PARALLEL at ${Math.floor(share * 100)} % of what they are it would fit. ` : "";
  const other = fits.length > 0 ? `These fit: ${fits.join(", ")}.` : "No model of the catalogue fits.";
  return new StarboxError(
    "model_too_large",
    `${id} needs ${gib(plan.totalBytes)} of memory (weights ${gib(plan.weightsBytes)}, context ${gib(plan.contextBytes)}); ${gib(freeBytes)} is free.`,
    {
      hint: `${smaller}${other}`,
      zh: {
        message: `${id} 需要 ${gib(plan.totalBytes)} 内存（权重 ${gib(plan.weightsBytes)}，上下文 ${gib(plan.contextBytes)}），目前可用 ${gib(freeBytes)}。`,
        hint: fits.length > 0 ? `可以运行的模型：${fits.join("、")}。` : "目录中没有能装下的模型，请释放内存。",
      },
      details: { ...plan, freeBytes, fits },
    },
  );
}
