/** @file Figures of the box for Prometheus, read when they are asked for. Requests are counted by `server`. */
import { Gauge, Registry } from "prom-client";
import { outbound } from "#base";
import type { BackupState, DiskLevel, SystemInfo } from "#contracts";

export function createBoxMetrics(parts: {
  readonly info: () => Promise<SystemInfo>;
  readonly backups: () => Promise<BackupState>;
  readonly disk: () => Promise<DiskLevel>;
}): () => Promise<string> {
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name: `starbox_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const uptime = gauge("uptime_seconds", "Seconds since the box started.");
  const resident = gauge("process_resident_bytes", "Memory of each process of the box.", ["process", "pid"]);
  const data = gauge("data_bytes", "Bytes in the data folder.");
  const free = gauge("disk_free_bytes", "Free bytes on the data folder's disk.");
  const level = gauge("disk_level", "0: enough room, 1: little, 2: no file is taken.");
  const jobs = gauge("jobs", "Jobs by state.", ["state"]);
  const running = gauge("engine_running", "Requests an engine works on.", ["model"]);
  const waiting = gauge("engine_waiting", "Requests waiting for an engine.", ["model"]);
  const refused = gauge("outbound_refused_total", "Connections to places that are not listed, refused since the start.");
  const backup = gauge("backup_last_success_timestamp_seconds", "When the last backup succeeded; 0: never.");
  gauge("build_info", "Version of the box.", ["version", "commit"]);
  return async () => {
    const now = await parts.info();
    uptime.set(now.uptimeSeconds);
    data.set(now.disk.dataBytes);
    free.set(now.disk.freeBytes);
    level.set({ ok: 0, low: 1, full: 2 }[await parts.disk()]);
    refused.set(outbound.refusals());
    const { last } = await parts.backups();
    if (last?.backupId != null) backup.set(Date.parse(last.at) / 1000);
    for (const each of [resident, jobs, running, waiting]) each.reset();
    for (const item of now.processes) resident.set({ process: item.name, pid: String(item.pid) }, item.residentBytes);
    for (const [state, count] of Object.entries(now.jobs)) jobs.set({ state }, count);
    for (const item of now.queue) {
      running.set({ model: item.model }, item.running);
      waiting.set({ model: item.model }, item.waiting);
    }
    (registry.getSingleMetric("starbox_build_info") as Gauge).set({ version: now.version, commit: now.commit ?? "" }, 1);
    return await registry.metrics();
  };
}
