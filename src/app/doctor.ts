/** @file `starbox doctor`: what works on this machine, what does not, and what to do about it. Looks, never changes. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { outbound, type Settings } from "#base";
import type { BackupState, Check, ModelsService } from "#contracts";
import { availableMemoryBytes, findGpu, readDisk, readMachine } from "./machine.ts";

/** English, Chinese. */
type Both = readonly [string, string];

const chineseNames = {
  runtime: "运行时",
  cpu: "处理器",
  memory: "内存",
  gpu: "显卡",
  compiler: "编译器",
  disk: "磁盘",
  "data-folder": "数据文件夹",
  database: "数据库",
  port: "端口",
  "language-model": "语言模型",
  embedder: "嵌入模型",
  outbound: "对外连接",
  backup: "备份",
  contents: "内容日志",
} as const;

const portWords: Readonly<Record<string, Both>> = {
  served: ["served by this box", "由本星匣提供服务"],
  free: ["free", "空闲"],
  taken: ["taken", "已被占用"],
};

const stateWords: Readonly<Record<string, string>> = {
  available: "可下载",
  pulling: "正在下载",
  ready: "已下载",
  loaded: "已载入",
  failed: "失败",
};

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function compilerVersion(): string | null {
  try {
    return execFileSync("c++", ["--version"], { encoding: "utf8", timeout: 5000, stdio: ["ignore", "pipe", "ignore"] }).split("\n")[0] ?? null;
  } catch {
    return null;
  }
}

function instructionSets(): string {
  try {
    const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(fs.readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" ") ?? []);
    const wanted = ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16"].filter((flag) => flags.has(flag));
    return wanted.join(" ");
  } catch {
    return "?";
  }
}

/** Resolves to who answers on the port: nobody, or somebody. */
async function portState(host: string, port: number): Promise<"free" | "taken" | string> {
  return await new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EADDRINUSE" ? "taken" : (error.code ?? "unknown")));
    server.listen(port, host, () => server.close(() => resolve("free")));
  });
}

export async function doctor(options: {
  readonly settings: Settings;
  readonly models: ModelsService;
  readonly checkDatabase: () => Promise<string>;
  readonly serving: boolean;
  readonly backups: () => Promise<BackupState>;
}): Promise<readonly Check[]> {
  const { settings, models } = options;
  const machine = readMachine();
  const checks: Check[] = [];
  const add = (name: keyof typeof chineseNames, ok: boolean, found: string | Both, hint: Both = ["", ""]): void => {
    const [english, chinese] = typeof found === "string" ? [found, found] : found;
    const [what, zhWhat] = ok ? ["", ""] : hint;
    checks.push({ name, ok, found: english, hint: what, zh: { name: chineseNames[name], found: chinese, hint: zhWhat } });
  };
  add("runtime", Number(process.versions.node.split(".")[0]) >= 26, `Node ${process.versions.node}`, [
    "Start with npm start or ./starbox: they bring Node 26.",
    "请用 npm start 或 ./starbox 启动，它们会自带 Node 26。",
  ]);
  const instructions = instructionSets();
  add(
    "cpu",
    machine.cores >= 2,
    [
      `${machine.cores} cores, ${machine.cpu}, ${instructions || "none of AVX2, AVX-512"}`,
      `${machine.cores} 核，${machine.cpu}，${instructions || "没有 AVX2 和 AVX-512"}`,
    ],
    ["One core works, slowly; two or more are better.", "单核也能运行，但较慢；建议两核以上。"],
  );
  add(
    "memory",
    availableMemoryBytes() > 1.5 * 2 ** 30,
    [
      `${gigabytes(machine.freeMemoryBytes)} free of ${gigabytes(machine.memoryBytes)}`,
      `共 ${gigabytes(machine.memoryBytes)}，空闲 ${gigabytes(machine.freeMemoryBytes)}`,
    ],
    ["The smallest language model needs about 1 GiB free: end other programs.", "最小的语言模型约需 1 GiB 空闲内存，请关闭其他程序。"],
  );
  add("gpu", true, findGpu() ?? ["none; models run on the processor", "没有；模型在处理器上运行"]);
  const compiler = compilerVersion();
  add(
    "compiler",
    true,
    compiler ?? ["none; only needed for the native operator library (apt-get install g++)", "没有；只有原生算子库需要（apt-get install g++）"],
  );
  fs.mkdirSync(settings.data, { recursive: true });
  const disk = readDisk(settings.data);
  add(
    "disk",
    disk.freeBytes > settings.diskWarnMb * 2 ** 20,
    [`${gigabytes(disk.freeBytes)} free at ${settings.data}`, `${settings.data} 空闲 ${gigabytes(disk.freeBytes)}`],
    [
      `Free at least ${gigabytes(settings.diskWarnMb * 2 ** 20)}, or choose another folder with --data DIR; below ${settings.diskRefuseMb} MB no file is taken.`,
      `请至少腾出 ${gigabytes(settings.diskWarnMb * 2 ** 20)}，或用 --data 目录 换一个数据文件夹；低于 ${settings.diskRefuseMb} MB 时不再接收文件。`,
    ],
  );
  try {
    const probe = path.join(settings.data, `.write-${process.pid}`);
    fs.writeFileSync(probe, "");
    fs.rmSync(probe);
    add("data-folder", true, settings.data);
  } catch (error) {
    add("data-folder", false, (error as Error).message, [
      `Make ${settings.data} writable for ${os.userInfo().username}, or choose another with --data DIR.`,
      `请让用户 ${os.userInfo().username} 可以写入 ${settings.data}，或用 --data 目录 换一个。`,
    ]);
  }
  const integrity = await options.checkDatabase();
  add("database", integrity === "ok", integrity === "ok" ? ["ok", "完好"] : integrity, [
    "Restore a backup; keep a copy of the data folder before trying anything else.",
    "请恢复备份；做其他尝试之前，先复制一份数据文件夹。",
  ]);
  const state = options.serving ? "served" : await portState(settings.host, settings.port);
  add(
    "port",
    state !== "taken" || options.serving,
    [`${settings.host}:${settings.port} ${portWords[state]?.[0] ?? state}`, `${settings.host}:${settings.port} ${portWords[state]?.[1] ?? state}`],
    ["Another program (or another box) listens there: choose --port.", "已有其他程序（或另一个星匣）占用，请用 --port 换一个端口。"],
  );
  const defaults = models.defaults();
  const list = await models.list();
  for (const [kind, id] of [
    ["language-model", defaults.language],
    ["embedder", defaults.embedding],
  ] as const) {
    const found = list.find((model) => model.id === id);
    const ok = found !== undefined && (found.state === "ready" || found.state === "loaded");
    add(
      kind,
      ok,
      id === null ? ["switched off", "已关闭"] : [`${id}: ${found?.state ?? "unknown"}`, `${id}：${stateWords[found?.state ?? ""] ?? "未知"}`],
      id === null
        ? [
            "Set STARBOX_MODEL / STARBOX_EMBEDDER to an id of ./starbox models list.",
            "请把 STARBOX_MODEL 或 STARBOX_EMBEDDER 设为 ./starbox models list 中的一个编号。",
          ]
        : [
            `./starbox models pull ${id}, or import a file: ./starbox models import PATH.`,
            `请运行 ./starbox models pull ${id}，或导入文件：./starbox models import 路径。`,
          ],
    );
  }
  const places = outbound.places();
  add(
    "outbound",
    true,
    places.length === 0 ? ["nothing may be reached", "不连接任何外部地址"] : places.map(({ host, why }) => `${host} (${why})`).join(", "),
  );
  add(
    "contents",
    !settings.logContents,
    settings.logContents
      ? ["questions and answers are written to logs/box.log", "问题和回答会写入 logs/box.log"]
      : ["the log holds no questions and answers", "日志不含问题和回答"],
    ["Unset STARBOX_LOG_CONTENTS and restart when you have seen what you need.", "查完问题后，请去掉 STARBOX_LOG_CONTENTS 并重启。"],
  );
  const backup = describeBackup(await options.backups(), Date.now());
  add("backup", backup.ok, backup.found, backup.hint);
  return checks;
}

const dayMs = 86_400_000;

function describeBackup(state: BackupState, now: number): { readonly ok: boolean; readonly found: Both; readonly hint: Both } {
  const { last, rehearsal, schedule, sameDisk } = state;
  if (last === null)
    return {
      ok: false,
      found: ["none yet", "还没有备份"],
      hint: [
        "starbox backup now, or every night: starbox backup nightly --at 02:30.",
        "请立即运行 starbox backup，或设为每晚：starbox backup nightly --at 02:30。",
      ],
    };
  const age = now - Date.parse(last.at);
  if (last.error !== null)
    return {
      ok: false,
      found: [`failed at ${last.at}: ${last.error}`, `${last.at} 备份失败：${last.error}`],
      hint: ["starbox backup tries again.", "请运行 starbox backup 重试。"],
    };
  if (rehearsal !== null && !rehearsal.ok)
    return {
      ok: false,
      found: [`${rehearsal.backupId} cannot be restored`, `${rehearsal.backupId} 无法恢复`],
      hint: [
        "starbox backup makes another one; starbox backup rehearse checks it.",
        "请用 starbox backup 重新备份，再用 starbox backup rehearse 检查。",
      ],
    };
  if (schedule.enabled && age > 2 * dayMs)
    return {
      ok: false,
      found: [`last at ${last.at}`, `最近一次在 ${last.at}`],
      hint: ["Two nights were missed: see logs/box.log.", "错过了两晚的备份，请查看 logs/box.log。"],
    };
  const rehearsed: Both = rehearsal === null ? ["never rehearsed", "未演练恢复"] : [`rehearsed ${rehearsal.at}`, `${rehearsal.at} 演练过恢复`];
  const where: Both = sameDisk
    ? [", on the data's own disk (STARBOX_BACKUPS: another one)", "，与数据在同一块磁盘（STARBOX_BACKUPS 可换）"]
    : ["", ""];
  return { ok: true, found: [`${last.at}, ${rehearsed[0]}${where[0]}`, `${last.at}，${rehearsed[1]}${where[1]}`], hint: ["", ""] };
}
