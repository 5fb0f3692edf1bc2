/** @file Ways in, over HTTP and against real counterparts: invitation, second factor, sessions, an OpenID Connect provider, an LDAP directory; and the count of failed tries. */
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
// @ts-expect-error: the package ships no types
import Provider from "oidc-provider";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AuditEvent, PeopleService, Platform } from "#contracts";
import { createServer, type HttpServer } from "#server";
import { openStorage, type Storage } from "#storage";
import { startDirectory } from "./ldap-server.ts";
import { platformOver, scriptedServices, silentLogger, testSettings } from "./scripted-services.ts";

let nowMs = Date.now();
let folder: string;
let storage: Storage;
let platform: Platform;
let people: PeopleService;
let server: HttpServer;
let directory: Awaited<ReturnType<typeof startDirectory>>;
let provider: { readonly url: string; readonly account: { email: string; verified: boolean }; install(redirectUri: string): void; close(): void };
const trail: AuditEvent[] = [];
const operator = { personId: null, name: "operator", role: "operator" } as const;

/** A browser: keeps cookies of both the box and the provider. */
function browser() {
  const jar = new Map<string, string>();
  return {
    jar,
    async send(method: string, url: string, json?: unknown, headers: Record<string, string> = {}): Promise<Response> {
      const response = await fetch(new URL(url, server.url), {
        method,
        redirect: "manual",
        headers: {
          cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; "),
          ...(json === undefined ? {} : { "content-type": "application/json", origin: server.url }),
          ...(method === "DELETE" ? { origin: server.url } : {}),
          ...headers,
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      });
      for (const line of response.headers.getSetCookie()) {
        const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (value === "" || /max-age=0|expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name);
        else jar.set(name, value);
      }
      return response;
    },
  };
}
type Body = { readonly error?: { readonly code: string }; readonly actor?: { readonly name: string; readonly role: string } | null } & Record<
  string,
  unknown
>;
const read = async (response: Response): Promise<Body> => (await response.json()) as Body;
const signIn = (email: string, password: string, code?: string, headers?: Record<string, string>) =>
  browser().send("POST", "/api/auth/sign-in/email", { email, password, ...(code === undefined ? {} : { code }) }, headers);

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "starbox-sign-in-"));
  storage = openStorage(folder);
  directory = await startDirectory([
    { dn: "cn=reader,dc=example", password: "reader", attributes: {} },
    { dn: "uid=lin,ou=people,dc=example", password: "lin's password", attributes: { uid: "lin", mail: "Lin@example.org", cn: "林" } },
    { dn: "uid=eve,ou=people,dc=example", password: "eve's password", attributes: { uid: "eve", mail: "eve@example.org", cn: "Eve" } },
  ]);
  provider = await startProvider();
  ({ platform, people } = platformOver(storage, folder, {
    now: () => nowMs,
    audit: { record: (event) => void trail.push(event) },
    settings: {
      oidcIssuer: provider.url,
      oidcClientId: "starbox",
      oidcClientSecret: "a client secret of some length",
      oidcName: "公司账号",
      ldapUrl: directory.url,
      ldapBase: "dc=example",
      ldapBindDn: "cn=reader,dc=example",
      ldapBindPassword: "reader",
    },
  }));
  server = createServer(scriptedServices({}), platform, testSettings, silentLogger);
  await server.listen();
  provider.install(`${server.url}/api/auth/oidc/callback`);
  await people.createPerson(operator, { name: "Ada", email: "ada@example.org", password: "a long password", role: "administrator" });
});
afterAll(async () => {
  await server?.close();
  provider?.close();
  directory?.close();
  storage.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A real provider in this process: its pages are answered as a person would, by posting its own forms. */
async function startProvider() {
  const account = { email: "ada@example.org", verified: true };
  let callback: ((request: never, response: never) => void) | undefined;
  const { createServer: createHttp } = await import("node:http");
  const http = createHttp((request, response) => callback?.(request as never, response as never));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const install = (redirectUri: string): void => {
    const oidc = new Provider(url, {
      clients: [
        {
          client_id: "starbox",
          client_secret: "a client secret of some length",
          redirect_uris: [redirectUri],
          response_types: ["code"],
        },
      ],
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
      conformIdTokenClaims: false,
      cookies: { keys: ["a key for cookies"] },
      findAccount: (_context: unknown, id: string) => ({
        accountId: id,
        claims: async () => ({ sub: id, email: account.email, email_verified: account.verified, name: "Ada L." }),
      }),
    });
    callback = oidc.callback() as never;
  };
  return { url, account, install, close: () => void http.close() };
}

test("an invitation by link: works once, fills in e-mail, role and teams, and dies after its days", async () => {
  const team = await people.createTeam(operator, { name: "人事" });
  const { token } = await people.createInvitation(operator, { email: "Bob@example.org", role: "editor", teamIds: [team.id], days: 3 });
  expect(JSON.stringify(storage.connection.all("SELECT * FROM invitations"))).not.toContain(token);
  const bob = browser();
  expect(await read(await bob.send("POST", "/api/invitation", { token }))).toEqual({ email: "bob@example.org", role: "editor" });
  expect((await bob.send("POST", "/api/invitation", { token: `${token}x` })).status).toBe(404);
  const short = await bob.send("POST", "/api/invitation/accept", { token, name: "Bob", password: "short" });
  expect(short.status).toBe(400);
  const accepted = await bob.send("POST", "/api/invitation/accept", { token, name: "Bob", password: "bob's password" });
  expect([accepted.status, (await read(accepted)).actor]).toMatchObject([201, { name: "Bob", role: "editor" }]);
  expect((await read(await bob.send("GET", "/api/session"))).actor).toMatchObject({ name: "Bob" });
  expect((await people.listPeople(operator)).find((person) => person.name === "Bob")?.teamIds).toEqual([team.id]);
  expect((await bob.send("POST", "/api/invitation/accept", { token, name: "Eve", password: "another password" })).status).toBe(404);
  const late = await people.createInvitation(operator, { email: "late@example.org", role: "member", days: 3 });
  nowMs += 3 * 86_400_000 + 1;
  expect((await bob.send("POST", "/api/invitation", { token: late.token })).status).toBe(404);
  nowMs += 60_000;
});

test("sessions are seen and ended; an open stream of an ended one stops", async () => {
  const [first, second] = [browser(), browser()];
  for (const one of [first, second]) {
    const done = await one.send(
      "POST",
      "/api/auth/sign-in/email",
      { email: "ada@example.org", password: "a long password" },
      { "user-agent": "Test/1" },
    );
    expect(done.status).toBe(200);
  }
  const { items } = (await read(await first.send("GET", "/api/sessions"))) as unknown as {
    items: { id: string; current: boolean; userAgent: string; address: string }[];
  };
  expect(items).toHaveLength(2);
  expect(items.filter((item) => item.current)).toHaveLength(1);
  expect(items[0]).toMatchObject({ userAgent: "Test/1", address: expect.stringMatching(/127\.0\.0\.1/) });
  const identified = await platform.identify({
    authorization: null,
    cookie: [...second.jar].map(([name, value]) => `${name}=${value}`).join("; "),
    address: "127.0.0.1",
    loopback: true,
    userAgent: null,
  });
  const ended = AbortSignal.any([...platform.signalsOf(identified as NonNullable<typeof identified>)]);
  expect(ended.aborted).toBe(false);
  expect((await first.send("DELETE", "/api/sessions")).status).toBe(204);
  expect(ended.aborted).toBe(true);
  expect((await read(await second.send("GET", "/api/session"))).actor).toBeNull();
  expect((await read(await first.send("GET", "/api/session"))).actor).not.toBeNull();
  expect((await first.send("DELETE", "/api/sessions/nope")).status).toBe(404);
});

test("a second factor: asked for after the password, each code once, recovery codes once, off with a code", async () => {
  const ada = browser();
  await ada.send("POST", "/api/auth/sign-in/email", { email: "ada@example.org", password: "a long password" });
  const { secret, uri } = (await read(await ada.send("POST", "/api/second-factor", {}))) as unknown as { secret: string; uri: string };
  expect(uri).toMatch(/^otpauth:\/\/totp\/Starbox:ada(%40|@)example\.org\?/);
  expect(JSON.stringify(storage.connection.all("SELECT * FROM second_factors"))).not.toContain(secret);
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  const codeNow = (): string => totp.generate({ timestamp: nowMs });
  // Not in force before it was confirmed.
  expect((await signIn("ada@example.org", "a long password")).status).toBe(200);
  expect((await ada.send("POST", "/api/second-factor/confirm", { code: "000000" })).status).toBe(401);
  const { recovery } = (await read(await ada.send("POST", "/api/second-factor/confirm", { code: codeNow() }))) as unknown as { recovery: string[] };
  expect(recovery).toHaveLength(10);
  const asked = await signIn("ada@example.org", "a long password");
  expect([asked.status, (await read(asked)).error?.code]).toEqual([401, "second_factor_required"]);
  expect(asked.headers.getSetCookie()).toEqual([]);
  // A wrong password says nothing of a second factor.
  expect((await read(await signIn("ada@example.org", "wrong", codeNow()))).error?.code).toBe("unauthorized");
  expect((await signIn("ada@example.org", "a long password", codeNow())).status).toBe(401); // used when confirming
  nowMs += 30_000;
  expect((await signIn("ada@example.org", "a long password", codeNow())).status).toBe(200);
  expect((await signIn("ada@example.org", "a long password", codeNow())).status).toBe(401);
  expect((await signIn("ada@example.org", "a long password", recovery[3])).status).toBe(200);
  expect((await signIn("ada@example.org", "a long password", recovery[3])).status).toBe(401);
  nowMs += 60_000;
  const member = await people.createPerson(operator, { name: "M", email: "m@example.org", password: "m's password", role: "member" });
  const other = browser();
  await other.send("POST", "/api/auth/sign-in/email", { email: "m@example.org", password: "m's password" });
  const adaId = (await people.listPeople(operator)).find((person) => person.name === "Ada")?.id ?? "";
  expect((await other.send("POST", "/api/second-factor/remove", { person: adaId })).status).toBe(403);
  expect((await other.send("GET", `/api/sessions?person=${adaId}`)).status).toBe(403);
  expect((await ada.send("POST", "/api/second-factor/remove", { code: codeNow() })).status).toBe(204);
  expect((await signIn("ada@example.org", "a long password")).status).toBe(200);
  await people.removePerson(operator, member.id);
});

test("a new password of one's own asks the present one, ends every other session and keeps this one", async () => {
  const [here, elsewhere] = [browser(), browser()];
  for (const one of [here, elsewhere]) await one.send("POST", "/api/auth/sign-in/email", { email: "bob@example.org", password: "bob's password" });
  const change = async (json: unknown) => await here.send("POST", "/api/account/password", json);
  expect((await browser().send("POST", "/api/account/password", { current: "bob's password", password: "bob's next one" })).status).toBe(401);
  expect((await change({ password: "bob's next one" })).status).toBe(400);
  expect((await change({ current: "not his", password: "bob's next one" })).status).toBe(400);
  expect((await read(await elsewhere.send("GET", "/api/session"))).actor).not.toBeNull();
  expect((await change({ current: "bob's password", password: "bob's next one" })).status).toBe(204);
  expect((await read(await elsewhere.send("GET", "/api/session"))).actor).toBeNull();
  expect((await read(await here.send("GET", "/api/session"))).actor?.name).toBe("Bob");
  expect((await signIn("bob@example.org", "bob's password")).status).toBe(401);
  expect((await change({ current: "bob's next one", password: "bob's password" })).status).toBe(204);
  expect((await signIn("bob@example.org", "bob's password")).status).toBe(200);
  expect(trail.filter((event) => event.action === "person.password").map((event) => event.outcome)).toEqual(["refused", "ok", "ok"]);
  for (let i = 0; i < 10; i++) await change({ current: `guess ${i}`, password: "bob's next one" });
  expect((await change({ current: "bob's password", password: "bob's next one" })).status).toBe(429);
});

test("the reset on the machine gives a new password, takes the second factor off, signs out everywhere; only the operator may", async () => {
  const bob = browser();
  await bob.send("POST", "/api/auth/sign-in/email", { email: "bob@example.org", password: "bob's password" });
  const { secret } = (await read(await bob.send("POST", "/api/second-factor", {}))) as unknown as { secret: string };
  await bob.send("POST", "/api/second-factor/confirm", { code: new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: nowMs }) });
  const ada = { personId: "p", name: "Ada", role: "administrator" } as const;
  await expect(people.resetPerson(ada, "bob@example.org")).rejects.toMatchObject({ code: "forbidden" });
  const { password } = await people.resetPerson(operator, "Bob@example.org");
  expect((await read(await bob.send("GET", "/api/session"))).actor).toBeNull();
  expect((await signIn("bob@example.org", "bob's password")).status).toBe(401);
  expect((await signIn("bob@example.org", password)).status).toBe(200);
});

test("failed tries are counted by socket and account: a forged forwarded address dodges neither", async () => {
  nowMs += 20 * 60_000;
  const forged = (i: number) => ({
    "x-forwarded-for": `203.0.113.${i}`,
    forwarded: `for=203.0.113.${i}`,
    "x-real-ip": `203.0.113.${i}`,
    "x-starbox-address": `203.0.113.${i}`,
  });
  const statuses: number[] = [];
  for (let i = 0; i < 12; i++) statuses.push((await signIn(`nobody${i}@example.org`, "wrong", undefined, forged(i))).status);
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
  nowMs += 61_000;
  for (let i = 0; i < 10; i++) {
    await signIn("bob@example.org", "wrong", undefined, forged(i));
    nowMs += 7000; // slower than the limit of the address
  }
  const closed = await signIn("bob@example.org", "wrong", undefined, forged(99));
  expect([closed.status, Number(closed.headers.get("retry-after")) > 0]).toEqual([429, true]);
  nowMs += 20 * 60_000;
});

test("an api-only person never signs in, whatever they know", async () => {
  await people.createPerson(operator, { name: "Robot", email: "robot@example.org", password: "robot's password", role: "api-only" });
  expect((await signIn("robot@example.org", "robot's password")).status).toBe(401);
});

/** Follows the provider's redirects and fills in its forms, until it sends the browser back to the box. */
async function throughProvider(ada: ReturnType<typeof browser>): Promise<Response> {
  const start = await ada.send("GET", "/api/auth/oidc/start");
  expect(start.status).toBe(302);
  let url = start.headers.get("location") ?? "";
  expect(url).toMatch(new RegExp(`^${provider.url}/auth\\?`));
  expect(url).toContain("code_challenge_method=S256");
  for (let hop = 0; hop < 20; hop++) {
    if (url.startsWith(`${server.url}/`)) return await ada.send("GET", url);
    const page = await ada.send("GET", url);
    const next = page.headers.get("location");
    if (next !== null) {
      url = new URL(next, url).href;
      continue;
    }
    const html = await page.text();
    const action = /<form[^>]* action="([^"]+)"/.exec(html)?.[1] ?? "";
    const prompt = /name="prompt" value="([^"]+)"/.exec(html)?.[1] ?? "login";
    if (action === "") throw new Error(`the provider's page has no form: ${page.status} ${url} ${html.slice(0, 500)}`);
    const form = new URLSearchParams({ prompt, login: "ada", password: "any" });
    const posted = await fetch(action, {
      method: "POST",
      redirect: "manual",
      headers: { cookie: [...ada.jar].map(([name, value]) => `${name}=${value}`).join("; "), "content-type": "application/x-www-form-urlencoded" },
      body: form.toString(),
    });
    for (const line of posted.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      ada.jar.set(name, value);
    }
    url = new URL(posted.headers.get("location") ?? "", action).href;
  }
  throw new Error("the provider never sent us back");
}

test("OpenID Connect: state, nonce and PKCE hold; known by verified e-mail, then by subject; strangers stay out", async () => {
  expect(await read(await browser().send("GET", "/api/auth/ways"))).toEqual({ oidc: "公司账号", ldap: true });
  const ada = browser();
  const back = await throughProvider(ada);
  expect([back.status, back.headers.get("location")]).toEqual([302, "/"]);
  expect((await read(await ada.send("GET", "/api/session"))).actor).toMatchObject({ name: "Ada", role: "administrator" });
  // Known by the provider's own number from now on, whatever e-mail it says.
  provider.account.email = "somebody.else@example.org";
  const again = browser();
  await throughProvider(again);
  expect((await read(await again.send("GET", "/api/session"))).actor).toMatchObject({ name: "Ada" });
  // Somebody the box does not know, and an e-mail nobody has verified.
  storage.connection.run("DELETE FROM accounts WHERE providerId = 'oidc'");
  const stranger = browser();
  expect((await throughProvider(stranger)).headers.get("location")).toBe("/signin?failed=unauthorized");
  expect((await read(await stranger.send("GET", "/api/session"))).actor).toBeNull();
  provider.account.email = "ada@example.org";
  provider.account.verified = false;
  expect((await throughProvider(browser())).headers.get("location")).toBe("/signin?failed=unauthorized");
  provider.account.verified = true;
  // A callback that began in another browser, or nowhere.
  const forged = await browser().send("GET", "/api/auth/oidc/callback?code=x&state=y");
  expect(forged.headers.get("location")).toBe("/signin?failed=unauthorized");
  expect(forged.headers.getSetCookie().join()).not.toContain("session_token");
});

test("LDAP: the directory checks the password; only people known here; nothing typed becomes a part of the filter", async () => {
  nowMs += 20 * 60_000;
  expect((await signIn("lin", "lin's password")).status).toBe(401);
  await people.createPerson(operator, { name: "林", email: "lin@example.org", role: "member" });
  expect((await signIn("lin", "wrong")).status).toBe(401);
  expect((await signIn("lin", "lin's password")).status).toBe(200);
  expect((await signIn("lin@example.org", "lin's password")).status).toBe(200);
  // An empty password would be an anonymous bind, which a directory grants.
  expect((await signIn("lin", "")).status).toBe(400);
  const before = directory.searches.length;
  expect((await signIn("*)(uid=lin", "lin's password")).status).toBe(401);
  expect(directory.searches.slice(before)).toEqual([0]);
  // A password kept here is the one that counts.
  await people.updatePerson(operator, (await people.listPeople(operator)).find((person) => person.name === "林")?.id ?? "", {
    password: "a local password",
  });
  expect((await signIn("lin@example.org", "lin's password")).status).toBe(401);
});

test("what happened is in the trail, without a secret", () => {
  const actions = new Set(trail.map((event) => `${event.action} ${event.outcome}`));
  for (const action of [
    "session.start ok",
    "session.start refused",
    "session.end ok",
    "second-factor.on ok",
    "second-factor.off ok",
    "person.reset ok",
    "invitation.accept ok",
  ])
    expect(actions).toContain(action);
  expect(JSON.stringify(trail)).not.toMatch(/a long password|lin's password|otpauth/);
});
