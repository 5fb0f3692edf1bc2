/** @file Bad days of a whole box: kill -9 of the box, its engines and its workers while people upload and chat. Real processes, real models, HTTP. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import type { ChatTurn, DocumentInfo, KnowledgeBaseInfo, RetrieveResult } from "#contracts";
import { openStorage } from "#storage";
import { boxProcesses } from "../src/app/machine.ts";
import { testEmbedder, testLanguageModel } from "./real-models.ts";
import { expectSound } from "./sound-storage.ts";
import { type StartedBox, startBox, waitFor } from "./start-box.ts";

const long = process.env["STARBOX_TEST_LONG"] === "1";
const kills = Number(process.env["STARBOX_TEST_KILLS"] ?? (long ? 50 : 5));
const env = { STARBOX_MODEL: testLanguageModel, STARBOX_EMBEDDER: testEmbedder, STARBOX_CONTEXT: "1024" };

let box: StartedBox | null = null;
let dataDir = "";
afterEach(async () => {
  if (box !== null && box.process.exitCode === null && box.process.signalCode === null) await box.stop();
  box = null;
  if (dataDir !== "") fs.rmSync(dataDir, { recursive: true, force: true });
});

const pause = async (ms: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, ms));

async function call(on: StartedBox, method: string, route: string, body?: string | object): Promise<Response> {
  const isJson = typeof body === "object";
  return await fetch(`${on.url}${route}`, {
    method,
    headers: { authorization: `Bearer ${on.token}`, "content-type": isJson ? "application/json" : "application/octet-stream" },
    ...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : body }),
  });
}
const json = async <T>(response: Response): Promise<T> => (await response.json()) as T;

const enginesOf = (on: StartedBox): number[] => pidsOf(on, "engine/main.ts");
const workersOf = (on: StartedBox): number[] => pidsOf(on, "parse/parse-process.ts");
function pidsOf(on: StartedBox, name: string): number[] {
  return boxProcesses(on.process.pid ?? 0)
    .filter((item) => item.name === name)
    .map((item) => item.pid);
}

/** Events of a stream as they come; ends, without an error, where the connection breaks. */
async function* events(response: Response): AsyncGenerator<Record<string, unknown>> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const bytes of response.body ?? []) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("data: {")) yield JSON.parse(line.slice(6)) as Record<string, unknown>;
    }
  } catch {
    // the box is gone
  }
}

test("an engine killed in the middle of an answer: a named error, the box stays up, the next request works", { timeout: 300_000 }, async () => {
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-killed-"));
  box = await startBox({ dataDir, env });
  await box.ready();
  const pid = box.process.pid;
  for (let round = 0; round < 2; round++) {
    const response = await call(box, "POST", "/v1/chat/completions", {
      model: testLanguageModel,
      stream: true,
      max_tokens: 400,
      messages: [{ role: "user", content: `Write a long story about river number ${round}.` }],
    });
    expect(response.status).toBe(200);
    let killed = false;
    let error: Record<string, unknown> | null = null;
    let afterwards = 0;
    for await (const event of events(response)) {
      if ("error" in event) error = event["error"] as Record<string, unknown>;
      else if (error !== null) afterwards++;
      const [choice] = (event["choices"] ?? []) as { delta?: { content?: string } }[];
      if (killed || (choice?.delta?.content ?? "") === "") continue;
      killed = true;
      for (const engine of enginesOf(box)) process.kill(engine, "SIGKILL");
    }
    expect(killed).toBe(true);
    expect(error).toMatchObject({ code: "engine_crashed" });
    expect(afterwards).toBe(0);
    expect((await call(box, "GET", "/healthz")).status).toBe(200);
    const next = await call(box, "POST", "/v1/chat/completions", {
      model: testLanguageModel,
      max_tokens: 8,
      messages: [{ role: "user", content: "Say hello." }],
    });
    expect(next.status).toBe(200);
    expect((await json<{ choices: { message: { content: string } }[] }>(next)).choices[0]?.message.content).toBeTruthy();
  }
  expect(box.process.pid).toBe(pid);
  expect(box.process.exitCode).toBe(null);
});

/** What was acknowledged: files by path, questions by chat. */
type Promised = {
  readonly files: Map<string, string>;
  readonly turns: { readonly chatId: string; readonly userTurnId: string; readonly content: string }[];
};

/** Uploads until told to stop or until the box is gone. */
async function upload(on: StartedBox, promised: Promised, round: number, isOver: () => boolean): Promise<void> {
  for (let i = 0; !isOver() && i < 20; i++) {
    const mark = `kept${round}x${i}x${Math.random().toString(36).slice(2, 10)}`;
    const text = `# 通知${i}\n\n${Array.from({ length: i % 10 === 9 ? 60 : 3 }, (_, n) => `第${n + 1}条 ${mark} 的第${n}项规定，自发布之日起施行。`).join("\n\n")}\n`;
    const name = `r${round}/${i}.md`;
    try {
      const response = await call(on, "PUT", `/api/bases/kept/files?path=${encodeURIComponent(name)}`, text);
      if (response.status === 201) promised.files.set(name, mark);
    } catch {
      return;
    }
  }
}

/** Asks until told to stop; a question counts from the moment its turn was named. */
async function chat(on: StartedBox, promised: Promised, round: number, isOver: () => boolean): Promise<void> {
  try {
    const { id: chatId } = await json<{ id: string }>(await call(on, "POST", "/api/chats", { kbIds: [], model: testLanguageModel }));
    for (let i = 0; !isOver(); i++) {
      const content = `Question ${i} of round ${round}: what is a river?`;
      const response = await call(on, "POST", `/api/chats/${chatId}/ask`, { content });
      for await (const event of events(response)) {
        if (event["type"] === "turn-start") promised.turns.push({ chatId, userTurnId: event["userTurnId"] as string, content });
        if (event["type"] === "error") expect((event["error"] as { code: string }).code).not.toBe("internal");
      }
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // fetch: the box is gone
  }
}

test(`kill -9 of box, engine or worker at ${kills} moments of uploading and chatting: every promise is kept once`, {
  timeout: 300_000 + kills * 30_000,
}, async () => {
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-kills-"));
  const promised: Promised = { files: new Map(), turns: [] };
  box = await startBox({ dataDir, env });
  await box.ready();
  expect((await call(box, "POST", "/api/bases", { name: "kept" })).status).toBe(201);
  for (let round = 0; round < kills; round++) {
    const on: StartedBox = box;
    let over = false;
    const work = Promise.all([upload(on, promised, round, () => over), chat(on, promised, round, () => over)]);
    await pause(Math.random() * 2500);
    const victim = (["box", "engine", "worker"] as const)[round % 3];
    if (victim === "box") {
      on.process.kill("SIGKILL");
      over = true;
      await work;
      box = await startBox({ dataDir, env });
    } else {
      const pids = victim === "engine" ? enginesOf(on) : workersOf(on);
      const pid = pids[Math.floor(Math.random() * pids.length)];
      if (pid !== undefined) process.kill(pid, "SIGKILL");
      await pause(500);
      over = true;
      await work;
      expect((await call(on, "GET", "/healthz")).status).toBe(200);
    }
  }
  const on = box;
  // A file whose reader was killed is set aside with its reason; trying again is all it takes.
  // How long it takes depends on the machine: what must not happen is that it stands still.
  let seen = "";
  let movedAt = Date.now();
  await waitFor(20 * 60_000, async () => {
    const { pending, embedded, chunks, failed } = await json<KnowledgeBaseInfo>(await call(on, "GET", "/api/bases/kept"));
    if (pending === 0 && failed > 0) await retryFailed(on);
    const now = JSON.stringify({ pending, embedded, chunks, failed });
    if (now !== seen) movedAt = Date.now();
    seen = now;
    if (Date.now() - movedAt > 120_000) throw new Error(`nothing moved for two minutes: ${now}`);
    return pending === 0 && failed === 0 && embedded === chunks ? true : null;
  });
  await expectKept(on, promised);
  await on.stop();
  const storage = openStorage(dataDir);
  try {
    expectSound(storage);
  } finally {
    storage.close();
  }
});

async function retryFailed(on: StartedBox): Promise<void> {
  const { items } = await json<{ items: DocumentInfo[] }>(await call(on, "GET", "/api/bases/kept/documents?state=failed&limit=100"));
  for (const document of items) {
    expect(document.error?.code).toBe("document_too_heavy");
    await call(on, "POST", `/api/documents/${document.id}/retry`, {});
  }
}

async function expectKept(on: StartedBox, promised: Promised): Promise<void> {
  const { documents } = await json<KnowledgeBaseInfo>(await call(on, "GET", "/api/bases/kept"));
  expect(documents).toBeGreaterThanOrEqual(promised.files.size);
  expect(promised.files.size).toBeGreaterThan(0);
  for (const [name, mark] of promised.files) {
    const { hits } = await json<RetrieveResult>(await call(on, "POST", "/api/bases/kept/search", { query: mark, limit: 3, lexicalOnly: true }));
    expect(hits[0]?.document, mark).toBe(name);
    expect(hits[0]?.text).toContain(mark);
  }
  expect(promised.turns.length).toBeGreaterThan(0);
  for (const { chatId, userTurnId, content } of promised.turns) {
    const { items } = await json<{ items: ChatTurn[] }>(await call(on, "GET", `/api/chats/${chatId}/turns`));
    const asked = items.filter((turn) => turn.id === userTurnId || (turn.role === "user" && turn.content === content));
    expect(asked.map((turn) => [turn.id, turn.content])).toEqual([[userTurnId, content]]);
    // Answered, or marked as broken: never left open.
    for (const turn of items) if (turn.role === "assistant") expect(turn.content !== "" || turn.error !== null, JSON.stringify(turn)).toBe(true);
  }
}
