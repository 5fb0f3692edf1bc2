/**
 * @file The one way out of the box: places are listed first, everything else is refused and counted.
 * `fetch` is for our own code; `guard` closes the door under libraries that open sockets on their own.
 */
import dgram from "node:dgram";
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import { StarboxError } from "./errors.ts";

export type OutboundPlace = { readonly host: string; readonly why: string };

const listed = new Map<string, string>();
let sealed = false;
let refusedCount = 0;
let onRefused: (place: string, how: string) => void = () => undefined;

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+|0\.0\.0\.0|::)$/i;
const bare = (host: string): string =>
  host
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
const isLoopback = (host: string): boolean => loopback.test(bare(host));

/** Addresses of the house: a public place must not send us there (SSRF by redirect or by a name that points inwards). */
const inside = new net.BlockList();
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
] as const)
  inside.addSubnet(network, bits);
for (const [network, bits] of [
  ["::1", 128],
  ["::", 128],
  ["fc00::", 7],
  ["fe80::", 10],
] as const)
  inside.addSubnet(network, bits, "ipv6");
/** An IP address of this machine or of its own network. A name is not resolved here. */
export function isInsideAddress(host: string): boolean {
  const address = bare(host);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return inside.check(mapped);
  const family = net.isIP(address);
  return isLoopback(address) || (family !== 0 && inside.check(address, family === 6 ? "ipv6" : "ipv4"));
}

function refused(place: string, how: string): StarboxError {
  refusedCount++;
  onRefused(place, how);
  return new StarboxError("outbound_refused", `${place} is not on the list of places this box may reach (${how}).`, {
    hint: "An administrator may add it: STARBOX_OUTBOUND=host[:port]; starbox doctor prints the list.",
    zh: {
      message: `${place} 不在星匣允许访问的外部地址列表中。`,
      hint: "管理员可用 STARBOX_OUTBOUND=主机[:端口] 添加；starbox doctor 会列出全部地址。",
    },
    details: { place },
  });
}

const isListed = (host: string, port?: number): boolean => listed.has(bare(host)) || (port !== undefined && listed.has(`${bare(host)}:${port}`));
const portOf = (url: URL): number => Number(url.port || (url.protocol === "https:" ? 443 : 80));

/** Puts a place on the list. A host alone means every port; a URL means its own. */
function allow(place: string, why: string): void {
  if (sealed) return;
  if (!place.includes("://")) listed.set(bare(place), why);
  else {
    const url = URL.parse(place);
    if (url !== null) listed.set(`${bare(url.hostname)}:${portOf(url)}`, why);
  }
}

/** A listed place names another one (a redirect, the address of a file): it joins the list unless it leads inside or drops encryption. */
async function follow(from: string, to: string, why: string): Promise<void> {
  const [source, target] = [new URL(from), new URL(to)];
  if (source.host === target.host && source.protocol === target.protocol) return;
  if (!/^https?:$/.test(target.protocol)) throw refused(target.href.slice(0, 80), "not http");
  if (source.protocol === "https:" && target.protocol !== "https:") throw refused(target.host, "a redirect without encryption");
  if (isInsideAddress(source.hostname)) return allow(to, why);
  if (isInsideAddress(target.hostname)) throw refused(target.host, "a redirect into this network");
  allow(to, why);
  if (net.isIP(bare(target.hostname)) !== 0) return;
  const found = await dns.promises.lookup(target.hostname, { all: true }).catch(() => []);
  if (found.length === 0 || !found.some(({ address }) => isInsideAddress(address))) return;
  // A house whose own resolver answers for the listed place with an inside address (a mirror) is no attack.
  const own = await dns.promises.lookup(source.hostname, { all: true }).catch(() => []);
  if (own.some(({ address }) => isInsideAddress(address))) return;
  listed.delete(`${bare(target.hostname)}:${portOf(target)}`);
  throw refused(target.host, "a redirect to a name that points into this network");
}

const maxRedirects = 5;

/** fetch for listed places only; redirects are followed by the same rules. */
async function gatedFetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  let url = new URL(input instanceof Request ? input.url : String(input));
  let request: RequestInit = init;
  for (let hop = 0; ; hop++) {
    if (!isLoopback(url.hostname) && !isListed(url.hostname, portOf(url))) throw refused(url.host, "fetch");
    const response = await globalThis.fetch(input instanceof Request && hop === 0 ? input : url, { ...request, redirect: "manual" });
    const location = response.headers.get("location");
    if (init.redirect === "manual" || location === null || ![301, 302, 303, 307, 308].includes(response.status)) return response;
    if (init.redirect === "error" || hop >= maxRedirects) throw refused(url.host, "too many redirects");
    await response.body?.cancel();
    const next = new URL(location, url);
    await follow(url.href, next.href, `named by ${url.host}`);
    const headers = new Headers(request.headers);
    if (next.host !== url.host) for (const name of ["authorization", "cookie", "proxy-authorization"]) headers.delete(name);
    const toGet = response.status === 303 || (response.status < 303 && (request.method ?? "GET").toUpperCase() === "POST");
    const { body: _body, ...rest } = request;
    request = toGet ? { ...rest, method: "GET", headers } : { ...request, headers };
    url = next;
  }
}

type ConnectTarget = { readonly host?: string; readonly port?: number | string; readonly path?: string };
/** Socket.connect takes (options), (port, host), (path), or what net has normalised into one array. */
function targetOf(args: readonly unknown[]): ConnectTarget {
  const first = Array.isArray(args[0]) ? (args[0] as unknown[])[0] : args[0];
  if (typeof first === "object" && first !== null) return first as ConnectTarget;
  if (typeof first === "string" && !/^\d+$/.test(first)) return { path: first };
  return { port: Number(first), ...(typeof args[1] === "string" ? { host: args[1] } : {}) };
}

type AnyFunction = (...args: never[]) => unknown;
type Patched = Record<string, AnyFunction>;
let guarded = false;

/** From now on every socket, datagram and name look-up of this process meets the list. */
function guard(): void {
  if (guarded) return;
  guarded = true;
  const connect = net.Socket.prototype.connect as (...args: unknown[]) => net.Socket;
  (net.Socket.prototype as unknown as Patched)["connect"] = function (this: net.Socket, ...args: unknown[]): net.Socket {
    const { host = "localhost", port, path } = targetOf(args);
    if (path !== undefined || isLoopback(host) || isListed(host, Number(port))) return connect.apply(this, args);
    const error = refused(`${host}:${port}`, "socket");
    process.nextTick(() => this.destroy(error));
    return this;
  } as AnyFunction;
  guardDatagrams();
  for (const target of [dns, dns.promises, dns.Resolver.prototype, dns.promises.Resolver.prototype]) guardNames(target as unknown as Patched);
  syncBuiltinESMExports();
}

function guardDatagrams(): void {
  const prototype = dgram.Socket.prototype as unknown as Patched;
  for (const name of ["send", "connect"]) {
    const original = prototype[name] as AnyFunction;
    prototype[name] = function (this: dgram.Socket, ...args: never[]): unknown {
      // send(bytes, [offset, length,] port, address) and connect(port, address): the address is the last text; none: it was connected before.
      const address = (args as unknown[]).slice(name === "send" ? 1 : 0).findLast((arg) => typeof arg === "string");
      const port = (args as unknown[]).findLast((arg) => typeof arg === "number") as number | undefined;
      if (typeof address === "string" && !isLoopback(address) && !isListed(address, port)) throw refused(`${address}:${port}`, "datagram");
      return original.apply(this, args);
    };
  }
}

function guardNames(target: Patched): void {
  for (const name of Object.getOwnPropertyNames(target)) {
    const original = target[name];
    if (!/^(lookup$|resolve|reverse)/.test(name) || typeof original !== "function") continue;
    const promises = target === (dns.promises as unknown) || target === (dns.promises.Resolver.prototype as unknown);
    target[name] = function (this: unknown, ...args: never[]): unknown {
      const host = String(args[0] ?? "");
      const known =
        net.isIP(host) !== 0 || isLoopback(host) || host === "" || [...listed.keys()].some((place) => place.replace(/:\d+$/, "") === bare(host));
      if (known) return original.apply(this, args);
      const error = refused(host, "name look-up");
      const callback = (args as unknown[]).at(-1);
      if (promises || typeof callback !== "function") return Promise.reject(error);
      process.nextTick(callback as (error: Error) => void, error);
      return undefined;
    };
  }
}

export const outbound = {
  allow,
  follow,
  fetch: gatedFetch as typeof fetch,
  guard,
  /** Nothing may be reached any more, whatever was or will be listed. */
  seal(): void {
    sealed = true;
    listed.clear();
  },
  /** Who is told of each refusal. */
  report(log: (place: string, how: string) => void): void {
    onRefused = log;
  },
  places: (): readonly OutboundPlace[] => [...listed].map(([host, why]) => ({ host, why })),
  /** How often something was refused since the start. */
  refusals: (): number => refusedCount,
} as const;
