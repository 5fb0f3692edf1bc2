/** @file `starbox doctor`: what works on this machine, what does not, and what to do about it. Looks, never changes. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { outbound, type Settings } from "#base";
import type { BackupState, Check, ModelsService } from "#contracts";
import { availableMemoryBytes, findGpu, readDisk, readMachine } from "./machine.ts";

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
    return wanted.length > 0 ? wanted.join(" ") : "none of AVX2, AVX-512";
  } catch {
    return "unknown";
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
  const add = (name: string, ok: boolean, found: string, hint = ""): void => {
    checks.push({ name, ok, found, hint: ok ? "" : hint });
  };
  add(
    "runtime",
    Number(process.versions.node.split(".")[0]) >= 26,
    `Node ${process.versions.node}`,
    "Start with npm start or ./starbox: they bring Node 26.",
  );
  add("cpu", machine.cores >= 2, `${machine.cores} cores, ${machine.cpu}, ${instructionSets()}`, "One core works, slowly; two or more are better.");
  add(
    "memory",
    availableMemoryBytes() > 1.5 * 2 ** 30,
    `${gigabytes(machine.freeMemoryBytes)} free of ${gigabytes(machine.memoryBytes)}`,
    "The smallest language model needs about 1 GiB free: end other programs.",
  );
  add("gpu", true, findGpu() ?? "none; models run on the processor");
  const compiler = compilerVersion();
  add("compiler", true, compiler ?? "none; only needed for the native operator library (apt-get install g++)");
  fs.mkdirSync(settings.data, { recursive: true });
  const disk = readDisk(settings.data);
  add(
    "disk",
    disk.freeBytes > settings.diskWarnMb * 2 ** 20,
    `${gigabytes(disk.freeBytes)} free at ${settings.data}`,
    `Free at least ${gigabytes(settings.diskWarnMb * 2 ** 20)}, or choose another folder with --data DIR; below ${settings.diskRefuseMb} MB no file is taken.`,
  );
  try {
    const probe = path.join(settings.data, `.write-${process.pid}`);
    fs.writeFileSync(probe, "");
    fs.rmSync(probe);
    add("data-folder", true, settings.data);
  } catch (error) {
    add(
      "data-folder",
      false,
      (error as Error).message,
      `Make ${settings.data} writable for ${os.userInfo().username}, or choose another with --data DIR.`,
    );
  }
  const integrity = await options.checkDatabase();
  add("database", integrity === "ok", integrity, "Restore a backup; keep a copy of the data folder before trying anything else.");
  const state = options.serving ? "served by this box" : await portState(settings.host, settings.port);
  add(
    "port",
    state !== "taken" || options.serving,
    `${settings.host}:${settings.port} ${state}`,
    "Another program (or another box) listens there: choose --port.",
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
      id === null ? "switched off" : `${id}: ${found?.state ?? "unknown"}`,
      id === null
        ? "Set STARBOX_MODEL / STARBOX_EMBEDDER to an id of ./starbox models list."
        : `./starbox models pull ${id}, or import a file: ./starbox models import PATH.`,
    );
  }
  const places = outbound.places();
  add("outbound", true, places.length === 0 ? "nothing may be reached" : places.map(({ host, why }) => `${host} (${why})`).join(", "));
  const backup = describeBackup(await options.backups(), Date.now());
  add("backup", backup.ok, backup.found, backup.hint);
  return checks;
}

const dayMs = 86_400_000;

function describeBackup(state: BackupState, now: number): { readonly ok: boolean; readonly found: string; readonly hint: string } {
  const { last, rehearsal, schedule, sameDisk } = state;
  if (last === null) return { ok: false, found: "none yet", hint: "starbox backup now, or every night: starbox backup nightly --at 02:30." };
  const age = now - Date.parse(last.at);
  if (last.error !== null) return { ok: false, found: `failed at ${last.at}: ${last.error}`, hint: "starbox backup tries again." };
  if (rehearsal !== null && !rehearsal.ok)
    return {
      ok: false,
      found: `${rehearsal.backupId} cannot be restored`,
      hint: "starbox backup makes another one; starbox backup rehearse checks it.",
    };
  if (schedule.enabled && age > 2 * dayMs) return { ok: false, found: `last at ${last.at}`, hint: "Two nights were missed: see logs/box.log." };
  const rehearsed = rehearsal === null ? "never rehearsed" : `rehearsed ${rehearsal.at}`;
  return { ok: true, found: `${last.at}, ${rehearsed}${sameDisk ? ", on the data's own disk (STARBOX_BACKUPS: another one)" : ""}`, hint: "" };
}
