/** @file The way out to a syslog host on loopback: RFC 5424 over UDP and TCP, nothing lost while the host is away. */
import dgram from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLogger } from "#base";
import type { Actor } from "#contracts";
import { openStorage, type Storage } from "#storage";
import { type AuditLog, openAuditLog } from "./log.ts";
import { createSyslogForwarder, parseSyslogTarget, type SyslogForwarder, type SyslogTarget } from "./syslog.ts";

const ada: Actor = { personId: "p1", name: 'A"d]a', role: "administrator" };
let folder = "";
let storage: Storage;
let log: AuditLog;
let forwarder: SyslogForwarder | undefined;
let cursor = 0;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "starbox-syslog-"));
  storage = openStorage(folder);
  log = openAuditLog({ store: storage.audit, dataDir: folder, hostname: "box" });
  cursor = 0;
});
afterEach(async () => {
  await forwarder?.close();
  log.close();
  storage.close();
  rmSync(folder, { recursive: true, force: true });
});

const start = (target: SyslogTarget): SyslogForwarder => {
  const made = createSyslogForwarder({
    log,
    target,
    hostname: "box 1",
    cursor: { read: () => cursor, write: (seq) => (cursor = seq) },
    lastSeq: log.lastSeq,
    logger: silentLogger,
    retryMs: 20,
  });
  made.start();
  forwarder = made;
  return made;
};
const add = (n: number): void =>
  log.record({ actor: ada, action: "key.create", subject: { kind: "key", id: `key_${n}` }, outcome: "ok", address: "10.0.0.9" });
const form =
  /^<110>1 \d{4}-\d\d-\d\dT[\d:.]+Z box\?1 starbox \d+ key\.create \[audit@32473 seq="(\d+)" outcome="ok" actor="p1" role="administrator" address="10\.0\.0\.9" kind="key" subject="key_\d+" hash="[0-9a-f]{64}"\] \ufeff(\{.*\})$/s;

test("UDP: one message a datagram, in RFC 5424's form", async () => {
  const received: string[] = [];
  const server = dgram.createSocket("udp4").on("message", (bytes) => received.push(bytes.toString("utf8")));
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  const status = start({ protocol: "udp", host: "127.0.0.1", port: server.address().port });
  for (let i = 1; i <= 5; i++) add(i);
  await vi.waitFor(() => expect(received).toHaveLength(5));
  server.close();
  const parsed = received.map((line) => form.exec(line));
  expect(parsed.map((found) => found?.[1])).toEqual(["1", "2", "3", "4", "5"]);
  expect(JSON.parse(parsed[0]?.[2] ?? "")).toMatchObject({ seq: 1, actor: { name: 'A"d]a' } });
  expect(status.status()).toMatchObject({ sentTo: 5, waiting: 0, error: null });
});

test("TCP: counted frames; what came while the host was away is sent when it is back", async () => {
  let text = "";
  const server = net.createServer((socket) => socket.on("data", (bytes) => (text += bytes.toString("utf8"))).on("error", () => undefined));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  const { status } = start({ protocol: "tcp", host: "127.0.0.1", port });
  for (let i = 1; i <= 3; i++) add(i);
  await vi.waitFor(() => expect(status()?.error).toMatch(/ECONNREFUSED/));
  expect(status()).toMatchObject({ waiting: 3 });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await vi.waitFor(() => expect(status()).toMatchObject({ sentTo: 3, waiting: 0, error: null }), { timeout: 5000 });
  add(4);
  await vi.waitFor(() => expect(unframe(text)).toHaveLength(4));
  expect(unframe(text).every((message) => form.test(message))).toBe(true);
  await forwarder?.close();
  server.close();
});

/** RFC 6587: length in bytes, a blank, the message. */
function unframe(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  const messages: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at);
    const length = Number(bytes.subarray(at, blank).toString());
    messages.push(bytes.subarray(blank + 1, blank + 1 + length).toString("utf8"));
    at = blank + 1 + length;
  }
  return messages;
}

test("targets", () => {
  expect(parseSyslogTarget("udp://logs.example.org")).toEqual({ protocol: "udp", host: "logs.example.org", port: 514 });
  expect(parseSyslogTarget("tcp://[::1]:6514")).toEqual({ protocol: "tcp", host: "::1", port: 6514 });
  expect(parseSyslogTarget("http://x")).toBeNull();
});
