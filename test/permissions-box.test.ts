/** @file Random probes over a tree of 5,000 files by people of different teams: nobody gets what is not theirs, by content, name, count or the time an error takes. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSettings, newId, StarboxError } from "#base";
import type { Actor, AnswerPart, Level, Role } from "#contracts";
import { type Box, openBox } from "../src/app/open-box.ts";
import { type MadeBase, makeBase } from "./retrieval-base.ts";

const long = process.env["STARBOX_TEST_LONG"] === "1";
const probes = long ? 10_000 : 500;
const files = 5000;

/** Mulberry32: the same tree and probes every time. */
let seed = 20_261_124;
function next(): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;

type File = { readonly id: string; readonly base: number; readonly path: string; readonly word: string; readonly chunk: number };
type Entries = Map<string, number>;

const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-permissions-"));
const names = [null, "read", "write", "manage"] as const;
const ceiling: Readonly<Record<Role, number>> = { administrator: 3, "knowledge-owner": 3, editor: 2, member: 1, "api-only": 2 };
const operator: Actor = { personId: null, name: "operator", role: "operator" };

let box: Box;
let bases: MadeBase[];
const all: File[] = [];
const people: { readonly id: string; readonly role: Role }[] = [];
const teams: { readonly id: string; readonly parent: string | null; members: string[] }[] = [];
/** What the test itself knows of the lists: base, path, who, level. The product's rule is written a second time below. */
const lists = new Map<number, Map<string, Entries>>();

function principals(person: string): string[] {
  const mine = new Set<string>();
  for (const team of teams.filter((item) => item.members.includes(person)))
    for (let at: (typeof teams)[number] | undefined = team; at !== undefined; at = teams.find((item) => item.id === at?.parent))
      mine.add(`team:${at.id}`);
  return ["everyone", `person:${person}`, ...mine];
}

function levelOf(person: { readonly id: string; readonly role: Role }, base: number, filePath: string): number {
  if (person.role === "administrator") return 3;
  const mine = principals(person.id);
  const most = ceiling[person.role];
  const of = (entries: Entries): number => Math.min(most, Math.max(0, ...mine.map((subject) => entries.get(subject) ?? 0)));
  const own = lists.get(base) ?? new Map<string, Entries>();
  let level = of(own.get("") ?? new Map());
  if (level === 3) return 3;
  const parts = filePath.split("/");
  for (let i = 1; i <= parts.length; i++) {
    const entries = own.get(parts.slice(0, i).join("/"));
    if (entries !== undefined) level = Math.min(level, of(entries));
  }
  return level;
}

function subject(): string {
  const chance = next();
  return chance < 0.1 ? "everyone" : chance < 0.7 ? `team:${pick(teams).id}` : `person:${pick(people).id}`;
}

async function share(base: number, at: string, entries: Entries): Promise<void> {
  const list = [...entries].map(([who, level]) => {
    const [kind, id = ""] = who.split(":");
    return { principal: kind === "everyone" ? { kind } : { kind: kind as "team" | "person", id }, level: names[level] as Level };
  });
  await box.services.people.writeAccess(operator, bases[base]?.kbId ?? "", at, list as never);
  const own = lists.get(base) ?? new Map<string, Entries>();
  lists.set(base, own.set(at, entries));
}

const randomEntries = (most: number): Entries =>
  new Map(Array.from({ length: 1 + Math.floor(next() * 3) }, () => [subject(), 1 + Math.floor(next() * most)] as const));

beforeAll(async () => {
  box = openBox(loadSettings({ data: dataDir, model: "none", embedder: "none", logLevel: "silent" }), { serving: false });
  const { services, storage } = box;
  for (const [i, role] of (["member", "member", "member", "editor", "editor", "knowledge-owner", "api-only", "administrator"] as const).entries())
    people.push(await services.people.createPerson(operator, { name: `P${i}`, email: `p${i}@example.org`, role }));
  for (let i = 0; i < 6; i++) {
    const parent = i < 2 ? null : (pick(teams).id ?? null);
    const team = await services.people.createTeam(operator, { name: `T${i}`, parentId: parent });
    const members = people.filter(() => next() < 0.35).map((person) => person.id);
    await services.people.updateTeam(operator, team.id, { memberIds: members });
    teams.push({ id: team.id, parent, members });
  }
  bases = ["甲库", "乙库", "丙库"].map((name) => makeBase(storage, name));
  storage.transaction(() => {
    for (let i = 0; i < files; i++) {
      const base = i % bases.length;
      const depth = Math.floor(next() * 4);
      const folder = Array.from({ length: depth }, (_, d) => `夹${d}${Math.floor(next() * 5)}`).join("/");
      const word = `zq${i.toString(36)}x`;
      const at = `${folder === "" ? "" : `${folder}/`}文件${i}-${word}.md`;
      const made = (bases[base] as MadeBase).add({ path: at, title: `标题 ${word}`, chunks: [{ text: `共同的词语，编号 ${word} 的内容。` }] });
      storage.texts.write(made.version, `共同的词语，编号 ${word} 的内容。`, "[]");
      storage.documents.update(made.num, { state: "words" });
      all.push({ id: made.id, base, path: at, word, chunk: made.chunkIds[0] as number });
      if (i % 100 === 0) {
        const at100 = {
          id: newId("job"),
          kind: "ingest",
          subject: at,
          key: null,
          kbId: bases[base]?.kbId ?? "",
          payload: {},
          priority: 9,
          size: 1,
          unit: "chunks",
          total: null,
          notBefore: 2 ** 50,
          at: new Date().toISOString(),
        } as const;
        storage.jobs.insert(at100);
      }
    }
  });
  await share(
    0,
    "",
    new Map([
      ["everyone", 1],
      [`team:${teams[0]?.id}`, 2],
    ]),
  );
  await share(
    1,
    "",
    new Map([
      [`team:${teams[1]?.id}`, 1],
      [`person:${people[5]?.id}`, 3],
    ]),
  );
  await share(
    2,
    "",
    new Map([
      [`team:${teams[2]?.id}`, 2],
      [`person:${people[0]?.id}`, 1],
    ]),
  );
  const folders = [
    ...new Set(
      all.flatMap((file) =>
        file.path
          .split("/")
          .slice(0, -1)
          .map((_, i, parts) => `${file.base}:${parts.slice(0, i + 1).join("/")}`),
      ),
    ),
  ];
  for (const at of folders.filter(() => next() < 0.25)) await share(Number(at[0]), at.slice(2), randomEntries(2));
  for (const file of all.filter(() => next() < 0.06)) await share(file.base, file.path, randomEntries(2));
}, 240_000);

afterAll(async () => {
  await box?.close();
  fs.rmSync(dataDir, { recursive: true, force: true });
});

type Outcome = { readonly value?: unknown; readonly code?: string; readonly text?: string };
async function attempt(work: () => Promise<unknown>, id: string): Promise<Outcome> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!StarboxError.is(error)) throw error;
    return { code: error.code, text: JSON.stringify([error.message, error.hint, error.zh, error.details]).replaceAll(id, "ID") };
  }
}

/** As if it were not there: the same code and words as for an id that nobody has. */
async function expectMissing(work: (id: string) => Promise<unknown>, id: string, nobodys: string): Promise<void> {
  const hidden = await attempt(() => work(id), id);
  const missing = await attempt(() => work(nobodys), nobodys);
  expect(missing.code).toBeDefined();
  expect(hidden).toEqual(missing);
}

const actorOf = (person: { readonly id: string; readonly role: Role }): Actor => ({ personId: person.id, name: "p", role: person.role });

type Probe = (person: (typeof people)[number], file: File) => Promise<void>;
const allowedIds = (person: (typeof people)[number], base: number): Set<string> =>
  new Set(all.filter((file) => file.base === base && levelOf(person, file.base, file.path) > 0).map((file) => file.id));
const kbOf = (file: File): string => bases[file.base]?.kbId ?? "";
const baseLevel = (person: (typeof people)[number], file: File): number => levelOf(person, file.base, "");

const byContent: Probe = async (person, file) => {
  const { knowledge } = box.services;
  if (baseLevel(person, file) === 0)
    return await expectMissing((id) => knowledge.search(actorOf(person), id, { query: file.word, lexicalOnly: true }), kbOf(file), "kb_nobody");
  const query = next() < 0.5 ? file.word : `共同的词语 ${file.word}`;
  const { hits } = await knowledge.search(actorOf(person), kbOf(file), { query, limit: 50, lexicalOnly: true });
  const allowed = allowedIds(person, file.base);
  expect(hits.filter((hit) => !allowed.has(hit.documentId))).toEqual([]);
  expect(hits.some((hit) => hit.documentId === file.id)).toBe(allowed.has(file.id));
};

const bySource: Probe = async (person, file) => {
  const { knowledge } = box.services;
  const actor = actorOf(person);
  const work = pick([
    (id: string) => knowledge.readDocument(actor, id),
    (id: string) => knowledge.readText(actor, id),
    (id: string) => knowledge.openOriginal(actor, id),
    (id: string) => knowledge.listChunks(actor, id),
  ]);
  if (levelOf(person, file.base, file.path) === 0) await expectMissing(work, file.id, "doc_nobody");
  else expect((await attempt(() => work(file.id), file.id)).code).toBeUndefined();
};

const byName: Probe = async (person, file) => {
  const { knowledge } = box.services;
  if (baseLevel(person, file) === 0) return await expectMissing((id) => knowledge.listDocuments(actorOf(person), id), kbOf(file), "kb_nobody");
  const allowed = allowedIds(person, file.base);
  const { items } = await knowledge.listDocuments(actorOf(person), kbOf(file), { search: file.word, limit: 100 });
  expect(items.some((item) => item.id === file.id)).toBe(allowed.has(file.id));
  const folder = path.dirname(file.path);
  const inFolder = await knowledge.listDocuments(actorOf(person), kbOf(file), { limit: 1000, ...(folder === "." ? {} : { folder }) });
  expect(inFolder.items.filter((item) => !allowed.has(item.id))).toEqual([]);
};

const byCount: Probe = async (person, file) => {
  const { knowledge } = box.services;
  const actor = actorOf(person);
  if (baseLevel(person, file) === 0) return await expectMissing((id) => knowledge.readBase(actor, id), kbOf(file), "kb_nobody");
  expect((await knowledge.readBase(actor, kbOf(file))).documents).toBe(allowedIds(person, file.base).size);
  const seen = (await knowledge.listBases(actor)).map((base) => base.id);
  expect(seen).toEqual(bases.filter((_, base) => levelOf(person, base, "") > 0).map((base) => base.kbId));
};

const byWriting: Probe = async (person, file) => {
  const { knowledge } = box.services;
  const actor = actorOf(person);
  const level = levelOf(person, file.base, file.path);
  if (level >= 2) {
    expect((await attempt(() => knowledge.updateDocument(actor, file.id, { tags: ["a"] }), file.id)).code).toBeUndefined();
    return;
  }
  const onDocument = pick([
    (id: string) => knowledge.updateDocument(actor, id, { title: "x" }),
    (id: string) => knowledge.removeDocument(actor, id),
    (id: string) => knowledge.retryDocument(actor, id),
  ]);
  if (level === 0) await expectMissing(onDocument, file.id, "doc_nobody");
  else expect((await attempt(() => onDocument(file.id), file.id)).code).toBe("forbidden");
  const onChunk = (id: string) => knowledge.updateChunk(actor, Number(id), { text: "x" });
  if (level === 0) await expectMissing(onChunk, String(file.chunk), "999999999");
  else expect((await attempt(() => onChunk(String(file.chunk)), String(file.chunk))).code).toBe("forbidden");
  const upload = await attempt(() => knowledge.addFile(actor, kbOf(file), { path: file.path, content: { bytes: new Uint8Array([1]) } }), kbOf(file));
  expect(upload.code).toBe(baseLevel(person, file) === 0 ? "kb_not_found" : "forbidden");
};

const byAsking: Probe = async (person, file) => {
  const actor = actorOf(person);
  const ask = async (kb: string): Promise<AnswerPart[]> => {
    const parts: AnswerPart[] = [];
    for await (const part of box.services.answers.answer(actor, {
      kbs: [kb],
      messages: [{ role: "user", content: `编号 ${file.word} 的内容是什么？` }],
    }))
      parts.push(part);
    return parts;
  };
  if (baseLevel(person, file) === 0) {
    await expectMissing(ask, kbOf(file), "kb_nobody");
    return await expectMissing((id) => box.services.chats.createChat(actor, { kbIds: [id] }), kbOf(file), "kb_nobody");
  }
  const allowed = allowedIds(person, file.base);
  const text = JSON.stringify(await ask(kbOf(file)));
  const named = [...text.matchAll(/"documentId":"([^"]+)"/g)].map((match) => match[1] as string);
  expect(named.filter((id) => !allowed.has(id))).toEqual([]);
  if (!allowed.has(file.id)) expect(text).not.toContain(`文件${all.indexOf(file)}-`);
};

const byJobs: Probe = async (person) => {
  const jobs = await box.services.system.listJobs(actorOf(person), { limit: 1000 });
  const writable = all.filter((file, i) => i % 100 === 0 && levelOf(person, file.base, file.path) >= 2).map((file) => file.path);
  expect(jobs.map((job) => job.subject).sort()).toEqual(writable.sort());
};

const kinds: readonly Probe[] = [byContent, byContent, bySource, bySource, byName, byCount, byWriting, byAsking, byJobs];

test(`${probes} random probes while lists and teams change: nothing by content, name or count`, { timeout: 1_800_000 }, async () => {
  let hidden = 0;
  for (let i = 0; i < probes; i++) {
    if (i % 10 === 5) {
      // A right given or taken away holds for the very next question.
      const file = pick(all);
      const chance = next();
      if (chance < 0.5) await share(file.base, pick([file.path, path.dirname(file.path)].filter((at) => at !== ".")), randomEntries(2));
      else if (chance < 0.7) {
        const own = lists.get(file.base);
        const at = pick([...(own?.keys() ?? [])].filter((key) => key !== ""));
        await box.services.people.removeAccess(operator, kbOf(file), at);
        own?.delete(at);
      } else {
        const team = pick(teams);
        team.members = people.filter(() => next() < 0.35).map((person) => person.id);
        await box.services.people.updateTeam(operator, team.id, { memberIds: team.members });
      }
    }
    const [person, file] = [pick(people), pick(all)];
    if (levelOf(person, file.base, file.path) === 0) hidden++;
    await pick(kinds)(person, file);
  }
  // The probes must have had something to find.
  expect(hidden).toBeGreaterThan(probes / 5);
  expect(hidden).toBeLessThan((probes * 4) / 5);
});

test("an error takes as long for what is hidden as for what is not there", async () => {
  const person = people.find(
    (item) => item.role === "member" && all.some((file) => levelOf(item, file.base, file.path) === 0),
  ) as (typeof people)[number];
  const hidden = all.filter((file) => levelOf(person, file.base, file.path) === 0).slice(0, 400);
  const { knowledge } = box.services;
  const times = { hidden: [] as number[], missing: [] as number[] };
  const time = async (kind: keyof typeof times, id: string): Promise<void> => {
    const started = performance.now();
    await attempt(() => knowledge.readDocument(actorOf(person), id), id);
    times[kind].push(performance.now() - started);
  };
  for (let round = 0; round < 3; round++)
    for (const file of hidden) {
      await time("hidden", file.id);
      await time("missing", newId("doc"));
    }
  const median = (list: number[]): number => list.sort((a, b) => a - b)[list.length >> 1] as number;
  expect(Math.abs(median(times.hidden) - median(times.missing))).toBeLessThan(0.05);
});

test("the permission filter costs a question at most 5 ms", async () => {
  const { openIndexReader } = await import("#storage");
  const reader = openIndexReader(dataDir);
  try {
    const kbIds = bases.map((base) => base.kbId);
    const times = { everything: [] as number[], granted: [] as number[] };
    for (let i = 0; i < 300; i++) {
      for (const access of ["everything", "granted"] as const) {
        const started = performance.now();
        reader.snapshot(() => reader.listScope({ kbIds, viewer: { person: people[i % 5]?.id ?? "", access, ceiling: "write" } }));
        times[access].push(performance.now() - started);
      }
    }
    const at = (list: number[], share: number): number => list.sort((a, b) => a - b)[Math.floor(list.length * share)] as number;
    const [p50, p95] = [at(times.granted, 0.5) - at(times.everything, 0.5), at(times.granted, 0.95) - at(times.everything, 0.95)];
    process.stdout.write(`permission filter over ${files} files: median ${p50.toFixed(2)} ms, p95 ${p95.toFixed(2)} ms more\n`);
    expect(p50).toBeLessThan(5);
    if (long) expect(p95).toBeLessThan(5);
  } finally {
    reader.close();
  }
});
