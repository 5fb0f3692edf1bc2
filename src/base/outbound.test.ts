/** @file The way out: what is not listed is refused and counted, however it is tried; redirects obey the same list. */
import dgram from "node:dgram";
import dns from "node:dns";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isInsideAddress, outbound } from "./outbound.ts";

let server: http.Server;
let url = "";
let location = "";
let seen: http.IncomingHttpHeaders = {};
beforeAll(async () => {
  outbound.guard();
  server = http.createServer((request, response) => {
    seen = request.headers;
    if (request.url === "/go") response.writeHead(302, { location }).end();
    else response.end("here");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const codeOf = async (work: () => Promise<unknown>): Promise<unknown> =>
  await work().then(
    () => "reached",
    (error: { code?: string; cause?: { code?: string } }) => error.cause?.code ?? error.code,
  );

test("every way out meets the list: fetch, sockets, datagrams, names", async () => {
  const before = outbound.refusals();
  expect(await codeOf(async () => await outbound.fetch("http://203.0.113.7/"))).toBe("outbound_refused");
  expect(await codeOf(async () => await fetch("http://203.0.113.7/"))).toBe("outbound_refused");
  expect(await codeOf(async () => await fetch("https://telemetry.example.org/"))).toBe("outbound_refused");
  const socket = await new Promise<Error & { code?: string }>((resolve) => net.connect(443, "203.0.113.7").once("error", resolve));
  expect(socket.code).toBe("outbound_refused");
  const named = await new Promise<Error & { code?: string }>((resolve) => http.get("http://example.org/").once("error", resolve));
  expect(named.code).toBe("outbound_refused");
  expect(await codeOf(async () => await dns.promises.resolve4("example.org"))).toBe("outbound_refused");
  expect(await codeOf(async () => await new Promise((_, reject) => dns.lookup("example.org", reject)))).toBe("outbound_refused");
  const datagram = dgram.createSocket("udp4");
  expect(() => datagram.send("x", 53, "203.0.113.7")).toThrow(/not on the list/);
  datagram.close();
  expect(outbound.refusals() - before).toBe(8);
});

test("this machine itself stays within reach; a listed place passes the gate", async () => {
  expect(await (await outbound.fetch(url)).text()).toBe("here");
  outbound.allow("http://203.0.113.9:81", "test");
  // Listed: the attempt is made (and stopped by us before the network answers).
  const stop = AbortSignal.timeout(50);
  expect(await codeOf(async () => await outbound.fetch("http://203.0.113.9:81/", { signal: stop }))).not.toBe("outbound_refused");
  expect(await codeOf(async () => await outbound.fetch("http://203.0.113.9/"))).toBe("outbound_refused");
});

test("a redirect into the house, without encryption or to another protocol is refused; what is followed loses its credentials", async () => {
  const follow = async (from: string, to: string) => await codeOf(async () => await outbound.follow(from, to, "test"));
  expect(await follow("https://models.example.org/a", "http://models2.example.org/a")).toBe("outbound_refused");
  expect(await follow("https://models.example.org/a", "https://169.254.169.254/latest")).toBe("outbound_refused");
  expect(await follow("https://models.example.org/a", "https://[::ffff:10.0.0.1]/")).toBe("outbound_refused");
  expect(await follow("https://models.example.org/a", "file:///etc/passwd")).toBe("outbound_refused");
  expect(await follow("https://203.0.113.1/a", "https://203.0.113.2/a")).toBe("reached");
  const other = http.createServer((request, response) => response.end(request.headers.authorization ?? "none"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
  expect(await (await outbound.fetch(`${url}/go`, { headers: { authorization: "Bearer secret" } })).text()).toBe("none");
  expect(seen.authorization).toBe("Bearer secret");
  location = "ftp://example.org/";
  expect(await codeOf(async () => await outbound.fetch(`${url}/go`))).toBe("outbound_refused");
  other.close();
});

test("addresses inside, written in every way", () => {
  for (const host of ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "192.168.0.1", "172.31.0.1", "169.254.169.254", "::ffff:192.168.1.1", "fd00::1"])
    expect(isInsideAddress(host), host).toBe(true);
  for (const host of ["203.0.113.7", "8.8.8.8", "2001:db8::1", "example.org"]) expect(isInsideAddress(host), host).toBe(false);
});
