/** @file The scripted box behind test/api.test.ts: one of everything, and `nope` where something is missing. */
import { mkdtempSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { StarboxError } from "#base";
import type { AnswerPart, ChatPart, ChatTurn, DocumentInfo, KnowledgeBaseInfo, RetrieveResult } from "#contracts";
import { scriptedServices } from "./scripted-services.ts";

const at = "2026-01-01T00:00:00.000Z";
const base: KnowledgeBaseInfo = {
  id: "kb_1",
  name: "法规",
  description: "",
  embedder: null,
  documents: 1,
  chunks: 2,
  pending: 0,
  failed: 0,
  embedded: 0,
  etaSeconds: null,
  sizeBytes: 10,
  level: "manage",
  approval: false,
  createdAt: at,
  updatedAt: at,
};
const doc: DocumentInfo = {
  id: "doc_1",
  kbId: "kb_1",
  path: "a/b.md",
  title: "b",
  type: "md",
  state: "words",
  pages: null,
  scannedPages: [],
  chunks: 2,
  embedded: 0,
  sizeBytes: 10,
  sha256: "x",
  version: 1,
  date: null,
  edition: null,
  level: "manage",
  approved: true,
  waiting: null,
  owner: null,
  reviewAt: null,
  tags: [],
  warnings: [],
  error: null,
  createdAt: at,
  updatedAt: at,
};
const chunk = { id: 7, ordinal: 0, start: 0, end: 5, page: null, context: [], label: null, text: "第一条", edited: false, embedded: false };
const found: RetrieveResult = { query: "q", hits: [], ms: { embed: 0, lexical: 1, dense: 0, fuse: 0, total: 1 }, mode: "words" };
const curated = { id: "cur_1", kbId: "kb_1", question: "q", answer: "a", createdBy: "Ada", approved: true, updatedAt: at };
const chat = { id: "chat_1", title: "", kbIds: [], model: null, createdAt: at, updatedAt: at };
const turn: ChatTurn = {
  id: "turn_2",
  parentId: "turn_1",
  role: "assistant",
  content: "好",
  citations: [],
  refused: false,
  nearest: [],
  rating: null,
  correction: null,
  model: null,
  error: null,
  createdAt: at,
};
const model = {
  id: "tiny",
  kind: "language",
  state: "ready",
  sizeBytes: 1,
  sha256: null,
  memoryBytes: null,
  sources: [],
  engine: "e",
  licence: "MIT",
  languages: ["en"],
  quantisation: null,
  contextTokens: 10,
  isDefault: true,
} as const;
const answer = {
  question: "q",
  query: "q",
  text: "a [1]",
  refused: false,
  citations: [],
  origin: "extracted",
  confidence: 1,
  usage: { promptTokens: 1, completionTokens: 1 },
  ms: { retrieve: 1, firstToken: 1, total: 1 },
  lineage: { model: null, adapter: null, promptVersion: "1", passages: [] },
} as const;
const job = {
  id: "job_1",
  kind: "ingest",
  subject: "a.md",
  kbId: "kb_1",
  state: "running",
  progress: { done: 1, total: 2, unit: "pages", etaSeconds: 3 },
  attempts: 1,
  error: null,
  createdAt: at,
  updatedAt: at,
} as const;

const backup = {
  id: "b1",
  at,
  version: "1",
  schema: 10,
  files: 1,
  sizeBytes: 1,
  storedBytes: 1,
  seconds: 1,
  encrypted: false,
  models: [],
  withModels: false,
} as const;
const page = { id: "page_1", name: "值班", greeting: "你好", kbIds: ["kb_1"], origins: [], enabled: true, createdBy: null, createdAt: at };
const backupState = {
  folder: "/b",
  encrypted: false,
  sameDisk: true,
  schedule: { enabled: true, at: "02:30", keepDaily: 7, keepWeekly: 4, keepMonthly: 6, rehearse: true },
  nextAt: null,
  running: false,
  last: null,
  rehearsal: null,
} as const;

const missing = (code: "kb_not_found" | "document_not_found" | "not_found" | "model_not_found") =>
  new StarboxError(code, "not there", { hint: "look elsewhere", zh: { message: "没有" } });
const gone = (id: unknown, code: Parameters<typeof missing>[0]): void => {
  if (id === "nope" || id === 404) throw missing(code);
};
export const folder = mkdtempSync(path.join(os.tmpdir(), "starbox-api-"));
const original = path.join(folder, "original");
writeFileSync(original, "0123456789");
export const uploads: { path: string; text: string }[] = [];

async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const piece of Readable.fromWeb(stream as Parameters<typeof Readable.fromWeb>[0]))
    text += Buffer.from(piece as Uint8Array).toString("utf8");
  return text;
}

/** The signal of the newest question. */
export const asked: { signal?: AbortSignal | undefined } = {};
const usageSum = {
  day: "2026-01-01",
  personId: null,
  teamId: null,
  keyId: null,
  model: null,
  requests: 1,
  calls: 1,
  promptTokens: 2,
  completionTokens: 3,
  cachedTokens: 0,
};
const masks = { input: [], output: [], stored: [], onInput: "mask", words: [] } as const;
const forEver = { historyDays: null, uploadsDays: null, logsDays: null, auditDays: null, usageDays: null };
const noLimits = { requestsPerMinute: null, requestsPerDay: null, tokensPerMinute: null, tokensPerDay: null, tokensPerMonth: null, concurrent: null };

export const services = scriptedServices({
  knowledge: {
    listBases: async () => [base],
    readBase: async (_, id) => (gone(id, "kb_not_found"), base),
    createBase: async (_, input) => ({ ...base, ...input }),
    updateBase: async (_, __, patch) => ({ ...base, ...patch }),
    removeBase: async () => undefined,
    addFile: async (_, __, file) => {
      if (!("stream" in file.content)) throw new Error("expected a stream");
      uploads.push({ path: file.path, text: await readAll(file.content.stream) });
      return { path: file.path, documentId: "doc_1", changed: true };
    },
    listDocuments: async () => ({ items: [doc], nextCursor: null }),
    readDocument: async (_, id) => (gone(id, "document_not_found"), doc),
    updateDocument: async (_, id, patch) => (
      gone(id, "document_not_found"), { ...doc, ...(patch.title === undefined ? {} : { title: patch.title }) }
    ),
    removeDocument: async (_, id) => gone(id, "document_not_found"),
    retryDocument: async (_, id) => gone(id, "document_not_found"),
    approveDocument: async (_, id) => (gone(id, "document_not_found"), doc),
    listReviews: async () => [],
    readText: async (_, id) => (
      gone(id, "document_not_found"), { versionId: "v1", text: "第一条", blocks: [{ kind: "paragraph", start: 0, end: 3, page: null }], pages: null }
    ),
    openOriginal: async (_, id) => (gone(id, "document_not_found"), { filePath: original, type: "text/html", name: '劳动"法.html', sizeBytes: 10 }),
    listChunks: async (_, id) => (gone(id, "document_not_found"), [chunk]),
    updateChunk: async (_, id) => (gone(id, "not_found"), chunk),
    splitChunk: async (_, id) => (gone(id, "not_found"), [chunk, chunk]),
    mergeChunk: async (_, id) => (gone(id, "not_found"), chunk),
    search: async () => found,
    readDictionary: async () => ({ words: ["试用期"], synonyms: [["试用期", "见习期"]] }),
    writeDictionary: async () => undefined,
    listCurated: async () => [curated],
    writeCurated: async () => curated,
    removeCurated: async (_, id) => gone(id, "not_found"),
    approveCurated: async (_, id) => gone(id, "not_found"),
    listGaps: async () => [],
    resolveGap: async (_, id) => gone(id, "not_found"),
    addSamples: async () => base,
  },
  answers: {
    async *answer(): AsyncIterable<AnswerPart> {
      yield { type: "text-delta", text: "a [1]" };
      yield { type: "finish", answer };
    },
    readLineage: async (_, id) => (gone(id, "not_found"), answer),
  },
  chats: {
    listChats: async () => [chat],
    createChat: async () => chat,
    updateChat: async (_, id) => (gone(id, "not_found"), chat),
    removeChat: async (_, id) => gone(id, "not_found"),
    readTurns: async (_, id) => (gone(id, "not_found"), [turn]),
    async *ask(_, id, input): AsyncIterable<ChatPart> {
      gone(id, "not_found");
      asked.signal = input.signal;
      yield { type: "turn-start", userTurnId: "turn_1", assistantTurnId: "turn_2" };
      if (input.content === "wait") await new Promise<void>((resolve) => input.signal?.addEventListener("abort", () => resolve(), { once: true }));
      if (input.content === "break") throw new StarboxError("engine_crashed", "The engine died.", { hint: "Try again." });
      yield { type: "text-delta", text: "好" };
      yield { type: "finish", turn, title: "t" };
    },
    rateTurn: async (_, id) => gone(id, "not_found"),
    correctTurn: async (_, id) => gone(id, "not_found"),
  },
  models: {
    list: async () => [model],
    pull: async (id) => (gone(id, "model_not_found"), model),
    cancelPull: async (id) => gone(id, "model_not_found"),
    import: async () => model,
    verify: async (id) => (gone(id, "model_not_found"), { id, ok: true, expected: "a", found: "a" }),
    remove: async (id) => gone(id, "model_not_found"),
  },
  system: {
    ready: async () => ({ ready: false, missing: [{ what: "embedder", detail: "pulling", etaSeconds: 3 }] }),
    info: async () => ({
      version: "1",
      commit: null,
      uptimeSeconds: 1,
      machine: { cpu: "c", cores: 2, memoryBytes: 1, freeMemoryBytes: 1, platform: "l", gpu: null },
      disk: { totalBytes: 1, freeBytes: 1, dataBytes: 1 },
      processes: [],
      queue: [],
      jobs: { running: 0, queued: 0, failed: 0 },
      dataFolder: "/d",
    }),
    doctor: async () => [{ name: "n", ok: true, found: "f", hint: "", zh: { name: "名", found: "见", hint: "" } }],
    listJobs: async () => [job],
    cancelJob: async (_, id) => gone(id, "not_found"),
    retryJob: async (_, id) => gone(id, "not_found"),
    metrics: async () => "starbox_uptime_seconds 1\n",
  },
  operations: {
    backup: async () => backup,
    listBackups: async () => [backup],
    removeBackup: async (id) => gone(id, "not_found"),
    rehearse: async (id) => (gone(id, "not_found"), { backupId: "b1", at, ok: true, seconds: 1, checks: [] }),
    readState: async () => backupState,
    writeSchedule: async () => backupState,
    storage: async () => ({ level: "ok", freeBytes: 1, totalBytes: 1, warnBelowBytes: 1, refuseBelowBytes: 1, parts: [] }),
    updates: async () => ({ version: "1", commit: null, schema: 10, kept: [] }),
  },
  usage: {
    sum: async () => [usageSum],
    csv: async () => "\ufeffday\r\n2026-01-01\r\n",
    listQuotas: async () => [],
    writeQuota: async (_actor, { kind, subject }) => ({ ...noLimits, kind, subject, updatedAt: at }),
  },
  audit: {
    list: async () => ({ items: [], nextBefore: null }),
    verify: async () => ({ ok: true, rows: 0, from: 0, to: 0, problemCount: 0, problems: [], fingerprint: "f", checkedAt: at }),
    status: async () => ({ rows: 0, fingerprint: "f", syslog: null }),
    async *export() {
      yield '{"seq":1}';
    },
  },
  meter: { check: () => undefined },
  privacy: {
    readMasks: async () => masks,
    writeMasks: async () => masks,
    tryMasks: async (_actor, text) => ({ input: text, output: text, stored: text }),
    maskHistory: async () => ({ turns: 0, answers: 0, gaps: 0, chats: 0 }),
    readRetention: async () => forEver,
    writeRetention: async () => forEver,
    runRetention: async () => ({ at, removed: { chats: 0, answers: 0, gaps: 0, documents: 0, logLines: 0, auditRows: 0, usageRows: 0 }, held: 0 }),
    listHolds: async () => [],
    addHold: async (_actor, hold) => ({ ...hold, id: "hold_1", createdAt: at, releasedAt: null }),
    releaseHold: async (_actor, id) => gone(id, "not_found"),
    async *exportPerson(_actor, person) {
      gone(person, "not_found");
      yield '{"table":"people","row":{}}';
    },
    erasePerson: async (_actor, person) => (gone(person, "not_found"), { id: "erasure_1", at, erased: {}, kept: [], traces: [] }),
    listErasures: async () => [],
  },
  pages: {
    list: async () => [page],
    create: async () => page,
    update: async (_, id) => (gone(id, "not_found"), page),
    remove: async (_, id) => gone(id, "not_found"),
    open: async (id) => (id === "page_1" ? page : id === "framed" ? { ...page, id, origins: ["https://intranet.example"] } : null),
    async *ask(_, question): AsyncIterable<AnswerPart> {
      yield { type: "text-delta", text: `<b>${question}</b>` };
      yield { type: "finish", answer };
    },
  },
});
