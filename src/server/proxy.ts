/** @file Where a request really comes from: the socket, unless that is a reverse proxy the operator named. Nobody else's headers are believed. */
import net from "node:net";
import { StarboxError } from "#base";

/** `address`: of the person's machine; `secure`: over TLS as the person sees it; `host`: what the person typed. */
export type Origin = { readonly address: string; readonly secure: boolean; readonly host: string | null; readonly proxied: boolean };
export type Locate = (socket: { readonly address: string; readonly encrypted: boolean }, header: (name: string) => string | undefined) => Origin;

const plain = (address: string): string => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;

export function createLocate(proxies: readonly string[]): Locate {
  const named = new net.BlockList();
  for (const entry of proxies) {
    const [address = "", bits] = entry.split("/");
    const family = net.isIP(address);
    if (family === 0)
      throw new StarboxError("settings_invalid", `STARBOX_PROXY: expected addresses like 10.0.0.5 or 10.0.0.0/24, got "${entry}".`, {
        zh: { message: `STARBOX_PROXY 应为 10.0.0.5 或 10.0.0.0/24 这样的地址，而不是“${entry}”。` },
      });
    const type = family === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) named.addAddress(address, type);
    else named.addSubnet(address, Number(bits), type);
  }
  const isNamed = (address: string): boolean => {
    const family = net.isIP(address);
    return family !== 0 && named.check(address, family === 6 ? "ipv6" : "ipv4");
  };
  return (socket, header) => {
    const direct: Origin = { address: socket.address, secure: socket.encrypted, host: null, proxied: false };
    if (proxies.length === 0 || !isNamed(plain(socket.address))) return direct;
    // From the right: what the nearest proxy wrote is true; further left anybody may have written.
    const chain = (header("x-forwarded-for") ?? "").split(",").map((item) => plain(item.trim()));
    const address = chain.findLast((item) => item !== "" && !isNamed(item)) ?? "";
    if (net.isIP(address) === 0) return { ...direct, proxied: true };
    return {
      address,
      secure: header("x-forwarded-proto")?.split(",").at(-1)?.trim() === "https",
      host: header("x-forwarded-host")?.trim() ?? null,
      proxied: true,
    };
  };
}
