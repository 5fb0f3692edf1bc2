/** @file Passes the audit log on to a syslog host: UDP, or TCP with counted frames (RFC 6587). What could not be sent waits in the log itself. */
import dgram from "node:dgram";
import net from "node:net";
import type { Logger } from "#base";
import type { AuditStatus } from "#contracts";
import type { AuditLog } from "./log.ts";
import { presentSyslog } from "./present.ts";

export type SyslogTarget = { readonly protocol: "udp" | "tcp"; readonly host: string; readonly port: number };

export type SyslogForwarder = { status(): AuditStatus["syslog"]; start(): void; close(): Promise<void> };

type Options = {
  readonly log: Pick<AuditLog, "entriesAfter" | "onAppend">;
  readonly target: SyslogTarget;
  readonly hostname: string;
  /** The last row that was sent, kept over restarts. */
  readonly cursor: { read(): number; write(seq: number): void };
  readonly lastSeq: () => number;
  readonly logger: Logger;
  readonly retryMs?: number;
};

const longestRetryMs = 60_000;
/** Larger datagrams are lost in pieces on the way. */
const longestDatagram = 60_000;

/** `udp://host[:514]` or `tcp://host[:601]`. */
export function parseSyslogTarget(text: string): SyslogTarget | null {
  const found = URL.parse(text);
  const protocol = found?.protocol === "udp:" ? "udp" : found?.protocol === "tcp:" ? "tcp" : null;
  if (found === null || protocol === null || found.hostname === "") return null;
  return { protocol, host: found.hostname.replace(/^\[|\]$/g, ""), port: Number(found.port || (protocol === "udp" ? 514 : 601)) };
}

export function createSyslogForwarder({ log, target, hostname, cursor, lastSeq, logger, retryMs = 1000 }: Options): SyslogForwarder {
  let sentTo = cursor.read();
  let error: string | null = null;
  let running: Promise<void> | null = null;
  let again = false;
  let closed = false;
  let waitMs = retryMs;
  let timer: NodeJS.Timeout | undefined;
  const transport = target.protocol === "udp" ? udp(target) : tcp(target);

  const pass = async (): Promise<void> => {
    for (const entry of log.entriesAfter(sentTo)) {
      if (closed) return;
      await transport.send(presentSyslog(entry, hostname));
      sentTo = entry.seq;
      cursor.write(sentTo);
    }
  };
  const run = (): void => {
    if (closed) return;
    if (running !== null) {
      again = true;
      return;
    }
    again = false;
    running = pass()
      .then(
        () => {
          error = null;
          waitMs = retryMs;
        },
        (cause: unknown) => {
          const message = cause instanceof Error ? cause.message : String(cause);
          if (error !== message)
            logger.warn({ target: `${target.protocol}://${target.host}:${target.port}`, error: message }, "syslog host not reached");
          error = message;
          clearTimeout(timer);
          timer = setTimeout(run, waitMs).unref();
          waitMs = Math.min(longestRetryMs, waitMs * 2);
        },
      )
      .finally(() => {
        running = null;
        if (again && error === null) run();
      });
  };
  let stop: () => void = () => undefined;
  return {
    status: () => ({ target: `${target.protocol}://${target.host}:${target.port}`, sentTo, waiting: Math.max(0, lastSeq() - sentTo), error }),
    start() {
      // Not in the turn that acts: sending must not hold up what is recorded.
      stop = log.onAppend(() => void setImmediate(run));
      run();
    },
    async close() {
      stop();
      clearTimeout(timer);
      closed = true;
      await running;
      transport.close();
    },
  };
}

type Transport = { send(message: string): Promise<void>; close(): void };

function udp({ host, port }: SyslogTarget): Transport {
  let socket: dgram.Socket | null = null;
  return {
    send: (message) =>
      new Promise((resolve, reject) => {
        socket ??= dgram.createSocket(net.isIPv6(host) ? "udp6" : "udp4").on("error", () => undefined);
        socket.unref();
        const bytes = Buffer.from(message);
        socket.send(bytes.subarray(0, longestDatagram), port, host, (error) => (error === null || error === undefined ? resolve() : reject(error)));
      }),
    close: () => socket?.close(),
  };
}

function tcp({ host, port }: SyslogTarget): Transport {
  let socket: net.Socket | null = null;
  const connect = (): Promise<net.Socket> =>
    new Promise((resolve, reject) => {
      const made = net.connect({ host, port });
      made.setKeepAlive(true, 30_000);
      made.unref();
      made.once("error", reject);
      made.once("connect", () => {
        made.off("error", reject);
        made.on("error", () => made.destroy());
        made.on("close", () => {
          if (socket === made) socket = null;
        });
        resolve(made);
      });
    });
  return {
    async send(message) {
      const open = (socket ??= await connect());
      const bytes = Buffer.from(message);
      await new Promise<void>((resolve, reject) => {
        const lost = (): void => reject(new Error("The syslog host closed the connection."));
        open.once("close", lost);
        open.write(Buffer.concat([Buffer.from(`${bytes.byteLength} `), bytes]), (error) => {
          open.off("close", lost);
          if (error === null || error === undefined) resolve();
          else reject(error);
        });
      });
    },
    close: () => socket?.destroy(),
  };
}
