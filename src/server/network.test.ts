/** @file The box on a network: TLS of its own making and renewed, cookies that fit, proxies believed only when named. */
import { X509Certificate } from "node:crypto";
import fs from "node:fs";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import tls from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger } from "#base";
import { scriptedServices, temporaryPlatform, testSettings } from "../../test/scripted-services.ts";
import { createLocate } from "./proxy.ts";
import { ownNames, selfMadeCertificate } from "./self-made.ts";
import { createServer, type HttpServer } from "./server.ts";
import { keepFresh } from "./tls.ts";

const day = 86_400_000;
let folder = "";
let server: HttpServer | null = null;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-tls-"));
});
afterEach(async () => {
  await server?.close();
  server = null;
  fs.rmSync(folder, { recursive: true, force: true });
});

test("self-made: right names, private key kept for us alone and through renewal, made anew before it ends or for new names", async () => {
  const now = Date.now();
  const first = await selfMadeCertificate(folder, ownNames(["box.lan"]), now);
  const read = new X509Certificate(first.cert);
  for (const name of ["box.lan", "localhost", os.hostname()]) expect(read.checkHost(name), name).toBeDefined();
  expect(read.checkIP("127.0.0.1")).toBeDefined();
  expect(read.checkHost("evil.example")).toBeUndefined();
  expect(fs.statSync(path.join(folder, "self.key")).mode & 0o077).toBe(0);
  const names = ownNames(["box.lan"]);
  expect((await selfMadeCertificate(folder, names, now + 300 * day)).cert.trim()).toBe(first.cert.trim());
  const renewed = await selfMadeCertificate(folder, names, now + 370 * day);
  expect(renewed.cert).not.toBe(first.cert);
  expect(renewed.key).toBe(first.key);
  expect(new X509Certificate(renewed.cert).validToDate.getTime()).toBeGreaterThan(now + 700 * day);
  const wider = await selfMadeCertificate(folder, [...names, "other.lan"], now + 371 * day);
  expect(new X509Certificate(wider.cert).checkHost("other.lan")).toBeDefined();
});

async function get(
  url: string,
  ca: string,
  headers: Record<string, string> = {},
  method = "GET",
  body = "",
): Promise<{ status: number; headers: Record<string, string | string[] | undefined> }> {
  return await new Promise((resolve, reject) => {
    const request = https.request(url, { ca, headers, method, servername: "localhost", agent: false }, (response) => {
      response.resume();
      response.once("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
    });
    request.once("error", reject);
    request.end(body);
  });
}

test("served over TLS 1.2 and up; cookies are Secure there and not over plain HTTP; renewal without a restart", { timeout: 20_000 }, async () => {
  const { platform, close } = temporaryPlatform();
  const services = scriptedServices({});
  try {
    server = createServer(services, platform, { ...testSettings, data: folder, tls: "self" }, silentLogger);
    const url = await server.listen();
    expect(url).toMatch(/^https:/);
    const ca = fs.readFileSync(path.join(folder, "tls/self.crt"), "utf8");
    const json = { "content-type": "application/json", origin: url };
    const person = { name: "Ada", email: "ada@example.org", password: "a long password" };
    const done = await get(`${url}/api/setup`, ca, json, "POST", JSON.stringify({ ...person, code: platform.setupCode() }));
    expect(done.status).toBe(201);
    for (const cookie of done.headers["set-cookie"] as string[]) expect(cookie).toMatch(/;\s*HttpOnly.*;\s*Secure/i);
    expect(done.headers["strict-transport-security"]).toBeUndefined();
    const plain = await fetch(`http://127.0.0.1:${server.localPort}/api/auth/sign-in/email`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email: person.email, password: person.password }),
    });
    expect(plain.status).toBe(200);
    for (const cookie of plain.headers.getSetCookie()) expect(cookie).not.toMatch(/secure/i);
    await expect(get(`${url}/healthz`, fs.readFileSync(path.join(folder, "tls/self.crt"), "utf8").replace(/[A-Z]{8}/, "AAAAAAAA"))).rejects.toThrow();
    const old = tls.connect({ port: Number(new URL(url).port), ca, servername: "localhost", maxVersion: "TLSv1.1", minVersion: "TLSv1.1" });
    await expect(new Promise((_, reject) => old.once("error", reject))).rejects.toThrow();
  } finally {
    close();
  }
});

test("an operator's certificate is taken over when its file changes", async () => {
  const write = async (sub: string): Promise<string> => {
    const made = await selfMadeCertificate(path.join(folder, sub), ["localhost"], Date.now());
    fs.writeFileSync(path.join(folder, "cert.pem"), made.cert);
    fs.writeFileSync(path.join(folder, "key.pem"), made.key);
    return made.cert;
  };
  const first = await write("a");
  const settings = {
    data: folder,
    tls: "off",
    tlsCert: path.join(folder, "cert.pem"),
    tlsKey: path.join(folder, "key.pem"),
    trustedOrigins: [],
  } as const;
  const plain = https.createServer({ cert: first, key: fs.readFileSync(settings.tlsKey) }, (_, response) => response.end("x"));
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  const { port } = plain.address() as { port: number };
  const stop = keepFresh(plain, settings, { cert: first, key: fs.readFileSync(settings.tlsKey, "utf8") }, silentLogger, 50);
  const shown = async (): Promise<string> =>
    await new Promise((resolve, reject) => {
      const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? "");
        socket.destroy();
      });
      socket.once("error", reject);
    });
  expect(await shown()).toBe(new X509Certificate(first).fingerprint256);
  const second = await write("b");
  await expect.poll(shown, { timeout: 5000 }).toBe(new X509Certificate(second).fingerprint256);
  fs.writeFileSync(settings.tlsCert, "broken");
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await shown()).toBe(new X509Certificate(second).fingerprint256);
  stop();
  plain.close();
});

test("forwarded headers are believed from a named proxy alone, and of them only what it wrote itself", () => {
  const header = (values: Record<string, string>) => (name: string) => values[name];
  const forged = header({ "x-forwarded-for": "1.1.1.1, 192.168.7.7", "x-forwarded-proto": "https", "x-forwarded-host": "box.example" });
  const nobody = createLocate([]);
  expect(nobody({ address: "10.0.0.5", encrypted: false }, forged)).toEqual({ address: "10.0.0.5", secure: false, host: null, proxied: false });
  const locate = createLocate(["10.0.0.5", "10.9.0.0/16"]);
  expect(locate({ address: "10.0.0.6", encrypted: false }, forged).address).toBe("10.0.0.6");
  expect(locate({ address: "::ffff:10.0.0.5", encrypted: false }, forged)).toEqual({
    address: "192.168.7.7",
    secure: true,
    host: "box.example",
    proxied: true,
  });
  // A chain of two named proxies: the person is left of both; what the person wrote further left is not believed.
  expect(locate({ address: "10.0.0.5", encrypted: false }, header({ "x-forwarded-for": "6.6.6.6, 172.16.3.3, 10.9.1.1" })).address).toBe(
    "172.16.3.3",
  );
  expect(locate({ address: "10.0.0.5", encrypted: false }, header({ "x-forwarded-for": "not an address" })).address).toBe("10.0.0.5");
  expect(() => createLocate(["proxy.lan"])).toThrow(/STARBOX_PROXY/);
});
