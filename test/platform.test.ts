import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StarboxError } from "#base";
import type { Actor, Credentials, PeopleService, Platform } from "#contracts";
import { openStorage, type Storage } from "#storage";
import { platformOver } from "./scripted-services.ts";

let folder: string;
let platform: Platform;
let people: PeopleService;
let nowMs: number;
let storage: Storage;

const from = (more: Partial<Credentials> = {}): Credentials => ({
  authorization: null,
  cookie: null,
  address: "127.0.0.1",
  loopback: true,
  userAgent: null,
  ...more,
});
const operator: Actor = { personId: null, name: "operator", role: "operator" };
const ada = { name: "Ada", email: "Ada@example.org", password: "a long password" };
const start = () => platformOver(storage, folder, { now: () => nowMs });
const cookieOf = (lines: readonly string[]): string => lines.map((line) => line.split(";")[0]).join("; ");
const code = (error: unknown): string => (StarboxError.is(error) ? error.code : String(error));

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "starbox-platform-"));
  nowMs = Date.now();
  storage = openStorage(folder);
  ({ platform, people } = start());
});
afterEach(() => {
  storage.close();
  rmSync(folder, { recursive: true, force: true });
});

test("the set-up code makes the first administrator once, is kept only as a hash, and dies with use", async () => {
  const setupCode = platform.setupCode() ?? "";
  expect(setupCode).toMatch(/^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}$/);
  expect(JSON.stringify(storage.connection.all("SELECT * FROM setup_code"))).not.toContain(setupCode.replaceAll("-", ""));
  await expect(platform.setUp({ ...ada, code: "0000-0000-0000" }, from())).rejects.toSatisfy((error) => code(error) === "setup_code_wrong");
  const caller = await platform.setUp({ ...ada, code: setupCode.toLowerCase().replaceAll("-", " ") }, from());
  expect(caller.actor).toMatchObject({ name: "Ada", role: "administrator" });
  expect(platform.setupCode()).toBeNull();
  await expect(platform.setUp({ ...ada, email: "b@example.org", code: setupCode }, from())).rejects.toSatisfy((error) => code(error) === "conflict");
  expect(start().platform.setupCode()).toBeNull();
});

test("a session works over plain HTTP, ends with sign-out, and a new password ends the others", async () => {
  const caller = await platform.setUp({ ...ada, code: platform.setupCode() ?? "" }, from());
  const line = caller.setCookies.find((item) => item.startsWith("starbox.session_token=")) ?? "";
  expect(line).toMatch(/HttpOnly/i);
  expect(line).toMatch(/SameSite=Lax/i);
  expect(line).not.toMatch(/Secure/i);
  const cookie = cookieOf(caller.setCookies);
  expect((await platform.identify(from({ cookie })))?.actor).toEqual(caller.actor);
  expect(await platform.identify(from({ cookie: `${cookie.slice(0, -6)}xxxxxx` }))).toBeNull();
  const second = await platform.signIn({ email: "ada@EXAMPLE.org", password: ada.password }, from());
  await platform.signOut(from({ cookie }));
  expect(await platform.identify(from({ cookie }))).toBeNull();
  expect(await platform.identify(from({ cookie: cookieOf(second.setCookies) }))).not.toBeNull();
  const own = caller.actor.personId ?? "";
  await expect(people.updatePerson(caller.actor, own, { password: "another password" })).rejects.toSatisfy(
    (error) => code(error) === "invalid_input",
  );
  await people.updatePerson(operator, own, { password: "another password" });
  expect(await platform.identify(from({ cookie: cookieOf(second.setCookies) }))).toBeNull();
  await expect(platform.signIn(ada, from())).rejects.toSatisfy((error) => code(error) === "unauthorized");
});

test("ten wrong passwords close the door for the address, and for the account from everywhere", async () => {
  await platform.setUp({ ...ada, code: platform.setupCode() ?? "" }, from());
  for (let i = 0; i < 10; i++) await platform.signIn({ ...ada, password: "wrong" }, from({ address: "10.0.0.9" })).catch(() => undefined);
  await expect(platform.signIn({ email: "x@example.org", password: "wrong" }, from({ address: "10.0.0.9" }))).rejects.toSatisfy(
    (error) => code(error) === "busy",
  );
  await expect(platform.signIn(ada, from({ address: "10.0.0.10" }))).rejects.toMatchObject({ retryAfterSeconds: expect.any(Number) });
  nowMs += 16 * 60_000;
  await platform.signIn(ada, from({ address: "10.0.0.10" }));
});

test("keys are shown once, stored hashed, expire, and go with their person", async () => {
  const key = await platform.keys.create(operator, { name: "ci" });
  expect(key.key).toMatch(/^sb-[0-9a-z]{40}$/);
  expect(JSON.stringify(storage.connection.all("SELECT * FROM api_keys"))).not.toContain(key.key);
  expect(JSON.stringify(await platform.keys.list(operator))).not.toContain(key.key);
  const caller = await platform.identify(from({ authorization: `Bearer ${key.key}`, loopback: false, address: "10.0.0.9" }));
  expect(caller?.actor.role).toBe("administrator");
  expect((await platform.keys.list(operator))[0]?.lastUsedAt).not.toBeNull();

  const bob = await people.createPerson(operator, { name: "Bob", email: "bob@example.org", password: "12345678", role: "member" });
  const asBob: Actor = { personId: bob.id, name: "Bob", role: "member" };
  const his = await platform.keys.create(asBob, { name: "mine", expiresAt: new Date(nowMs + 1000).toISOString() });
  expect(await platform.keys.list(asBob)).toHaveLength(1);
  await expect(platform.keys.revoke(asBob, key.id)).rejects.toSatisfy((error) => code(error) === "not_found");
  expect((await platform.identify(from({ authorization: `Bearer ${his.key}` })))?.actor).toMatchObject(asBob);
  nowMs += 2000;
  expect(await platform.identify(from({ authorization: `Bearer ${his.key}` }))).toBeNull();
  await people.removePerson(operator, bob.id);
  expect(await platform.keys.list(operator)).toHaveLength(1);
});

test("the operator's token works over loopback only, and only its owner can read it", async () => {
  const file = path.join(folder, "operator.token");
  const token = readFileSync(file, "utf8").trim();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await platform.identify(from({ authorization: `Bearer ${token}` })))?.actor.role).toBe("operator");
  expect(await platform.identify(from({ authorization: `Bearer ${token}`, loopback: false }))).toBeNull();
  expect(await platform.identify(from({ authorization: `Bearer ${token}x` }))).toBeNull();
});

test("people: members cannot manage them, e-mails are unique, the last administrator stays", async () => {
  const caller = await platform.setUp({ ...ada, code: platform.setupCode() ?? "" }, from());
  const id = caller.actor.personId ?? "";
  const bob = await people.createPerson(caller.actor, { name: "Bob", email: "bob@example.org", password: "12345678", role: "member" });
  const asBob: Actor = { personId: bob.id, name: "Bob", role: "member" };
  await expect(people.listPeople(asBob)).rejects.toSatisfy((error) => code(error) === "forbidden");
  await expect(people.updatePerson(asBob, bob.id, { role: "administrator" })).rejects.toSatisfy((error) => code(error) === "forbidden");
  await expect(people.updatePerson(asBob, id, { password: "stolen stolen" })).rejects.toSatisfy((error) => code(error) === "forbidden");
  await expect(people.createPerson(caller.actor, { ...ada, role: "member" })).rejects.toSatisfy((error) => code(error) === "conflict");
  await expect(people.removePerson(caller.actor, id)).rejects.toSatisfy((error) => code(error) === "conflict");
  await expect(people.updatePerson(caller.actor, id, { role: "member" })).rejects.toSatisfy((error) => code(error) === "conflict");
  await people.updatePerson(caller.actor, bob.id, { role: "administrator" });
  await people.removePerson(caller.actor, id);
  expect((await people.listPeople(operator)).map((person) => person.name)).toEqual(["Bob"]);
});
