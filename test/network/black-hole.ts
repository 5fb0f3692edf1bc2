/** @file A network that swallows everything and writes it down: a namespace whose only way out leads to another one with a name server and nothing else. Needs root. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

export type BlackHole = {
  /** Runs in the namespace whose every packet is counted. */
  run(command: readonly string[], env?: Readonly<Record<string, string>>): ChildProcess;
  /** Packets that left since it was made, and names that were asked for. */
  seen(): { readonly packets: number; readonly names: readonly string[] };
  readonly nameserver: string;
  /** Every process in there is told. */
  end(signal: NodeJS.Signals): void;
  close(): void;
};

const ip = (...args: readonly string[]): string => execFileSync("ip", [...args], { encoding: "utf8" });

/** null: the test may run; else what is missing. */
export function whyNoNamespaces(): string | null {
  if (process.platform !== "linux") return "network namespaces need Linux";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  try {
    ip("netns", "list");
    return null;
  } catch {
    return "the program ip (iproute2) is not installed";
  }
}

/** Answers every question with an address in the black hole, so that whoever asked goes on to send packets there. */
const nameServer = `
const log = process.argv[1];
const socket = require("node:dgram").createSocket("udp4");
socket.on("message", (question, from) => {
  const labels = [];
  for (let at = 12; question[at] > 0; at += question[at] + 1) labels.push(question.subarray(at + 1, at + 1 + question[at]).toString());
  require("node:fs").appendFileSync(log, labels.join(".") + "\\n");
  const head = Buffer.from(question.subarray(0, 12));
  head[2] = 0x81; head[3] = 0x80; head.writeUInt16BE(1, 6); head.writeUInt16BE(0, 8); head.writeUInt16BE(0, 10);
  const end = question.indexOf(0, 12) + 5;
  const isA = question.readUInt16BE(end - 4) === 1;
  if (!isA) head.writeUInt16BE(0, 6);
  const answer = isA ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 203, 0, 113, 7]) : Buffer.alloc(0);
  socket.send(Buffer.concat([head, question.subarray(12, end), answer]), from.port, from.address);
});
socket.bind(53, "10.99.7.1", () => process.stdout.write("ready"));
`;

export async function openBlackHole(): Promise<BlackHole> {
  const [inside, outside] = [`sbx-in-${process.pid}`, `sbx-out-${process.pid}`];
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-hole-"));
  const log = path.join(folder, "names");
  fs.writeFileSync(log, "");
  const inNs = (...args: readonly string[]): string => ip("netns", "exec", inside, ...args);
  ip("netns", "add", inside);
  ip("netns", "add", outside);
  // IPv6 stays on, with addresses of its own: whoever prefers it must be seen too. Nothing of the kernel's own chatter (duplicate detection, routers).
  for (const name of [inside, outside])
    ip(
      "netns",
      "exec",
      name,
      "sh",
      "-c",
      "for i in all default; do echo 0 > /proc/sys/net/ipv6/conf/$i/accept_ra; echo 0 > /proc/sys/net/ipv6/conf/$i/accept_dad; echo 0 > /proc/sys/net/ipv6/conf/$i/router_solicitations; done",
    );
  ip("link", "add", "hole0", "netns", inside, "type", "veth", "peer", "name", "hole1", "netns", outside);
  for (const [name, link, four, six] of [
    [inside, "hole0", "10.99.7.2/24", "fd99::2/64"],
    [outside, "hole1", "10.99.7.1/24", "fd99::1/64"],
  ] as const) {
    ip("netns", "exec", name, "ip", "link", "set", "lo", "up");
    ip("netns", "exec", name, "ip", "link", "set", link, "multicast", "off");
    ip("netns", "exec", name, "ip", "addr", "add", four, "dev", link);
    ip("netns", "exec", name, "ip", "link", "set", link, "up");
    ip("netns", "exec", name, "ip", "addr", "add", six, "dev", link, "nodad");
  }
  const hardware = /link\/ether (\S+)/.exec(ip("netns", "exec", outside, "ip", "link", "show", "hole1"))?.[1] ?? "";
  for (const gateway of ["10.99.7.1", "fd99::1"]) inNs("ip", "neigh", "replace", gateway, "lladdr", hardware, "dev", "hole0", "nud", "permanent");
  inNs("ip", "route", "add", "default", "via", "10.99.7.1");
  inNs("ip", "-6", "route", "add", "default", "via", "fd99::1");
  const names = spawn("ip", ["netns", "exec", outside, process.execPath, "-e", nameServer, log], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    names.stdout.once("data", () => resolve());
    names.once("exit", (code) => reject(new Error(`the name server ended with ${code}`)));
  });
  const sent = (): number => Number(inNs("cat", "/sys/class/net/hole0/statistics/tx_packets"));
  await settled(sent);
  const before = sent();
  const end = (signal: NodeJS.Signals): void => {
    for (const pid of ip("netns", "pids", inside).split("\n").filter(Boolean)) {
      try {
        process.kill(Number(pid), signal);
      } catch {
        // Gone by itself.
      }
    }
  };
  return {
    nameserver: "10.99.7.1",
    run: (command, env = {}) =>
      spawn("ip", ["netns", "exec", inside, ...command], { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env["PATH"] ?? "", ...env } }),
    end,
    seen: () => ({ packets: sent() - before, names: fs.readFileSync(log, "utf8").split("\n").filter(Boolean) }),
    close() {
      names.kill("SIGKILL");
      end("SIGKILL");
      for (const name of [inside, outside]) ip("netns", "del", name);
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The link's own words when it comes up are not the box's. */
async function settled(count: () => number): Promise<void> {
  for (let [last, quiet] = [count(), 0]; quiet < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = count();
    quiet = now === last ? quiet + 1 : 0;
    last = now;
  }
}
