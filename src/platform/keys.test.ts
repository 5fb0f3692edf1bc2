/** @file API keys: kept as hashes, shown once, rotated without a gap, ended at once, never handing out more than they have. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadSettings } from "#base";
import type { Actor, Platform } from "#contracts";
import { openStorage, type Storage } from "#storage";
import { createPlatform } from "./platform.ts";
import { createRevocations } from "./revocations.ts";

let folder = "";
let storage: Storage;
let platform: Platform;
let nowMs = Date.parse("2026-05-01T00:00:00Z");
const operator: Actor = { personId: null, name: "operator", role: "operator" };
let bob: Actor;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "starbox-keys-"));
  storage = openStorage(folder);
  const settings = { ...loadSettings({}, {}), data: folder };
  platform = createPlatform({
    store: storage.people,
    settings,
    audit: { record: () => undefined },
    revocations: createRevocations(),
    now: () => nowMs,
  });
  const at = "2026-01-01T00:00:00Z";
  storage.people.createPerson(
    { id: "person_bob", name: "Bob", email: "bob@example.org", role: "member", createdAt: at },
    { id: "account_bob", passwordHash: "x" },
  );
  bob = { personId: "person_bob", name: "Bob", role: "member" };
  storage.connection.run("INSERT INTO teams (id, name, parent, created_at) VALUES ('team_1', 'Sales', NULL, '2026-01-01')");
});
afterEach(() => {
  storage.close();
  rmSync(folder, { recursive: true, force: true });
});

const who = async (key: string): Promise<Actor | null> =>
  (await platform.identify({ authorization: `Bearer ${key}`, cookie: null, address: "10.0.0.1", loopback: false, userAgent: null }))?.actor ?? null;

test("a person's key carries its limits; a team's acts for the team; neither is in the database as it is", async () => {
  const his = await platform.keys.create(bob, { name: "mine", models: ["m"], bases: ["kb_1"], access: "read" });
  expect(await who(his.key)).toMatchObject({
    personId: bob.personId,
    role: "member",
    key: { id: his.id, models: ["m"], bases: ["kb_1"], write: false },
  });
  const teams = await platform.keys.create(operator, { name: "etl", teamId: "team_1" });
  expect(await who(teams.key)).toMatchObject({ personId: null, teamId: "team_1", role: "api-only", key: { write: true, bases: null } });
  storage.checkpoint();
  const bytes = readFileSync(path.join(folder, "box.db"));
  expect(bytes.includes(his.key)).toBe(false);
  expect(bytes.includes(his.id)).toBe(true); // so that the search above means something
  expect(JSON.stringify(await platform.keys.list(operator))).not.toContain(his.key);
});

test("rotated without a gap: both work through the grace, then only the new one", async () => {
  const first = await platform.keys.create(bob, { name: "k" });
  const second = await platform.keys.rotate(bob, first.id, { graceSeconds: 3600 });
  expect(second).toMatchObject({ id: first.id, name: "k", formerUntil: "2026-05-01T01:00:00.000Z" });
  expect([(await who(first.key))?.key?.id, (await who(second.key))?.key?.id]).toEqual([first.id, first.id]);
  nowMs += 3600_000;
  expect([await who(first.key), (await who(second.key))?.key?.id]).toEqual([null, first.id]);
  const third = await platform.keys.rotate(bob, first.id, { graceSeconds: 0 });
  expect([await who(second.key), (await who(third.key))?.key?.id]).toEqual([null, first.id]);
});

test("revoked at once, former ones included; expired at its time; last use is kept", async () => {
  const made = await platform.keys.create(bob, { name: "k", expiresAt: new Date(nowMs + 10_000).toISOString() });
  const next = await platform.keys.rotate(bob, made.id);
  await who(next.key);
  expect((await platform.keys.list(bob))[0]?.lastUsedAt).toBe(new Date(nowMs).toISOString());
  nowMs += 10_000;
  expect(await who(next.key)).toBeNull();
  await platform.keys.update(bob, made.id, { expiresAt: null });
  expect(await who(next.key)).not.toBeNull();
  await platform.keys.revoke(bob, made.id);
  expect([await who(made.key), await who(next.key)]).toEqual([null, null]);
  await expect(platform.keys.rotate(bob, made.id)).rejects.toMatchObject({ code: "conflict" });
  await expect(platform.keys.create(bob, { name: "k", expiresAt: "2020-01-01T00:00:00Z" })).rejects.toMatchObject({ code: "invalid_input" });
});

test("others' keys do not exist for a member; teams' and others' are made by administrators; a limited key makes none", async () => {
  const box = await platform.keys.create(operator, { name: "box" });
  for (const work of [platform.keys.revoke(bob, box.id), platform.keys.rotate(bob, box.id), platform.keys.update(bob, box.id, { name: "x" })])
    await expect(work).rejects.toMatchObject({ code: "not_found" });
  await expect(platform.keys.create(bob, { name: "t", teamId: "team_1" })).rejects.toMatchObject({ code: "forbidden" });
  await expect(platform.keys.create(operator, { name: "t", teamId: "team_2" })).rejects.toMatchObject({ code: "not_found" });
  const limited = await platform.keys.create(bob, { name: "l", access: "read" });
  const actor = (await who(limited.key)) as Actor;
  await expect(platform.keys.create(actor, { name: "wide" })).rejects.toMatchObject({ code: "forbidden" });
  await expect(platform.keys.update(actor, limited.id, { access: "write" })).rejects.toMatchObject({ code: "forbidden" });
  expect((await platform.keys.rotate(actor, limited.id)).key).toMatch(/^sb-/);
});
