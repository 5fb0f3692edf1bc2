/** @file Finds the box a command talks to: STARBOX_URL, else the process that owns the data folder, else this process itself. */
import fs from "node:fs";
import path from "node:path";
import { outbound, type Settings, StarboxError } from "#base";
import { createClient } from "#client";
import type { Actor } from "#contracts";
import type { CliParts, Connection } from "./cli.ts";
import { createRemoteServices } from "./remote/remote-services.ts";
import type { Terminal } from "./terminal.ts";

const operator: Actor = { personId: null, name: "operator", role: "operator" };
/** How long to wait for another command line (or a box that is just starting) to give the data folder free. */
const patienceMs = 60_000;

type Holder = { readonly pid: number; readonly port: number | null; readonly host: string | null; readonly command: string };

export async function connect(settings: Settings, parts: CliParts, terminal: Terminal, signal: AbortSignal): Promise<Connection> {
  if (settings.url !== "") return remote(settings.url, settings.key);
  const since = Date.now();
  for (let told = false; ; ) {
    const running = await findRunning(settings);
    if (running !== null) return remote(running.url, running.key);
    try {
      const box = await parts.openBox(settings);
      return { ...box, actor: operator, where: "alone" };
    } catch (error) {
      if (!StarboxError.is(error, "data_locked") || Date.now() - since > patienceMs || signal.aborted) throw error;
      const holder = readHolder(settings.data);
      if (!told)
        terminal.note(
          `Waiting for process ${holder?.pid ?? "?"}, which is using ${settings.data} …`,
          `进程 ${holder?.pid ?? "?"} 正在使用 ${settings.data}，等待中……`,
        );
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

function remote(url: string, key: string): Connection {
  outbound.allow(url, "the box this command line talks to");
  const services = createRemoteServices(createClient({ baseUrl: url, key }), async (file) => await fs.openAsBlob(file));
  return { services, actor: operator, where: "box", close: async () => undefined };
}

function readHolder(data: string): Holder | null {
  try {
    return JSON.parse(fs.readFileSync(path.join(data, "lock.json"), "utf8")) as Holder;
  } catch {
    return null;
  }
}

/** The note beside the lock may be stale: only a box that answers, and knows this folder's token, counts. */
async function findRunning(settings: Settings): Promise<{ readonly url: string; readonly key: string } | null> {
  const holder = readHolder(settings.data);
  if (holder === null || holder.port === null) return null;
  const host = holder.host === null || holder.host === "0.0.0.0" || holder.host === "::" ? "127.0.0.1" : holder.host;
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${holder.port}`;
  let key = settings.key;
  try {
    key = key === "" ? fs.readFileSync(path.join(settings.data, "operator.token"), "utf8").trim() : key;
  } catch {
    return null; // another account's box: opening the folder will say who holds it
  }
  try {
    const response = await fetch(`${url}/api/session`, { headers: { authorization: `Bearer ${key}` }, signal: AbortSignal.timeout(5000) });
    const body = (await response.json()) as { actor?: unknown };
    return response.ok && body.actor !== null && body.actor !== undefined ? { url, key } : null;
  } catch {
    return null;
  }
}
