/** @file A running box's services over HTTP, in the same shape as `app` builds them: a command does not know which it was given. */
import { fromErrorRecord, StarboxError } from "#base";
import type { Client } from "#client";
import type {
  AnswerPart,
  AnswerService,
  ChatService,
  KnowledgeService,
  ModelInfo,
  ModelsService,
  OperationsService,
  PageService,
  PeopleService,
  Services,
  SystemService,
} from "#contracts";
import { readableError } from "./readable-error.ts";
import { remoteAudit, remoteKeys, remotePrivacy, remoteUsage } from "./remote-governance.ts";
import { createRemoteEmbedder, createRemoteModel } from "./remote-models.ts";

/** `actor` is ignored everywhere: the key says who acts. */
export function createRemoteServices(client: Client, openFile: (filePath: string) => Promise<Blob>): Services {
  return {
    knowledge: named(knowledge(client, openFile)),
    answers: {
      answer: (_actor, request) => answer(client, request),
      readLineage: async (_actor, id) => await ours(client.http.json("GET", `/api/answers/${encodeURIComponent(id)}`)),
    },
    chats: chats(client),
    models: named(models(client)),
    system: named(system(client)),
    operations: named(operations(client)),
    keys: named(remoteKeys(client)),
    usage: named(remoteUsage(client)),
    audit: named(remoteAudit(client)),
    privacy: named(remotePrivacy(client)),
    // The box counts what it is asked.
    meter: { check: () => undefined, enter: () => ({ record: () => undefined, end: () => undefined, kept: async () => undefined }) },
    pages: named(pages(client)),
    people: named(people(client)),
  };
}

function people({ people: api }: Client): PeopleService {
  return {
    listPeople: () => api.list(),
    createPerson: (_actor, input) => api.create(input),
    updatePerson: (_actor, id, patch) => api.update(id, patch),
    removePerson: (_actor, id) => api.remove(id),
    resetPerson: (_actor, emailOrId) => api.reset(emailOrId),
    listInvitations: () => api.listInvitations(),
    createInvitation: (_actor, input) => api.createInvitation(input),
    removeInvitation: (_actor, id) => api.removeInvitation(id),
    listTeams: () => api.listTeams(),
    createTeam: (_actor, input) => api.createTeam(input),
    updateTeam: (_actor, id, patch) => api.updateTeam(id, patch),
    removeTeam: (_actor, id) => api.removeTeam(id),
    readDirectory: () => api.readDirectory(),
    listAccess: (_actor, kbId) => api.listAccess(kbId),
    writeAccess: (_actor, kbId, path, entries) => api.writeAccess(kbId, path, entries),
    removeAccess: (_actor, kbId, path) => api.removeAccess(kbId, path),
  };
}

async function ours<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw readableError(error);
  }
}

/** Every method of the service with its errors made ours. */
function named<T extends object>(service: T): T {
  const wrapped: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(service)) {
    wrapped[name] =
      typeof method !== "function"
        ? method
        : (...args: unknown[]) => {
            const result: unknown = (method as (...args: unknown[]) => unknown)(...args);
            return result instanceof Promise ? ours(result) : result;
          };
  }
  return wrapped as T;
}

function knowledge(client: Client, openFile: (filePath: string) => Promise<Blob>): KnowledgeService {
  const { knowledge: api } = client;
  return {
    listBases: () => api.listBases(),
    readBase: (_actor, idOrName) => api.readBase(idOrName),
    createBase: (_actor, input) => api.createBase(input),
    updateBase: (_actor, id, patch) => api.updateBase(id, patch),
    removeBase: (_actor, id) => api.removeBase(id),
    addFile: async (_actor, kbId, file) => {
      const { content } = file;
      const body =
        "filePath" in content
          ? await openFile(content.filePath)
          : "bytes" in content
            ? new Blob([content.bytes as Uint8Array<ArrayBuffer>])
            : content.stream;
      return await api.addFile(kbId, file.path, body, file.tags === undefined ? {} : { tags: file.tags });
    },
    listDocuments: (_actor, kbId, query) => api.listDocuments(kbId, query),
    readDocument: (_actor, id) => api.readDocument(id),
    updateDocument: (_actor, id, patch) => api.updateDocument(id, patch),
    approveDocument: (_actor, id, approved) => api.approveDocument(id, approved),
    listReviews: () => api.listReviews(),
    removeDocument: (_actor, id) => api.removeDocument(id),
    retryDocument: (_actor, id) => api.retryDocument(id),
    readText: (_actor, id, versionId) => api.readText(id, versionId),
    openOriginal: async () => {
      throw new StarboxError("unsupported", "The original bytes are read from the box's address, not here.", {
        zh: { message: "原始文件请从星匣的网址读取。" },
      });
    },
    listChunks: (_actor, id) => api.listChunks(id),
    updateChunk: (_actor, id, patch) => api.updateChunk(id, patch.text),
    splitChunk: (_actor, id, at) => api.splitChunk(id, at),
    mergeChunk: (_actor, id) => api.mergeChunk(id),
    search: (_actor, kbId, { signal, ...query }) => api.search(kbId, query, signal),
    readDictionary: (_actor, kbId) => api.readDictionary(kbId),
    writeDictionary: (_actor, kbId, dictionary) => api.writeDictionary(kbId, dictionary),
    listCurated: (_actor, kbId) => api.listCurated(kbId),
    writeCurated: (_actor, kbId, curated) => api.writeCurated(kbId, curated),
    removeCurated: (_actor, id) => api.removeCurated(id),
    approveCurated: (_actor, id) => api.approveCurated(id),
    listGaps: (_actor, kbId) => api.listGaps(kbId),
    resolveGap: (_actor, id) => api.resolveGap(id),
    addSamples: () => api.addSamples(),
  };
}

async function* answer(client: Client, request: Parameters<AnswerService["answer"]>[1]): AsyncIterable<AnswerPart> {
  const { signal, ...json } = request;
  try {
    for await (const part of client.http.events<AnswerPart | { type: "error"; error: Parameters<typeof fromErrorRecord>[0] }>("POST", "/api/ask", {
      json,
      ...(signal === undefined ? {} : { signal }),
    })) {
      if (part.type === "error") throw fromErrorRecord(part.error);
      yield part;
    }
  } catch (error) {
    throw readableError(error);
  }
}

function chats(client: Client): ChatService {
  const { chats: api } = client;
  const plain = named<Omit<ChatService, "ask">>({
    listChats: () => api.list(),
    createChat: (_actor, input) => api.create(input),
    updateChat: (_actor, id, patch) => api.update(id, patch),
    removeChat: (_actor, id) => api.remove(id),
    readTurns: (_actor, id) => api.readTurns(id),
    rateTurn: (_actor, id, rating) => api.rateTurn(id, rating),
    correctTurn: (_actor, id, correction) => api.correctTurn(id, correction),
  });
  return {
    ...plain,
    async *ask(_actor, chatId, { signal, ...input }) {
      try {
        yield* api.ask(chatId, input, signal);
      } catch (error) {
        throw readableError(error);
      }
    },
  };
}

function models(client: Client): ModelsService {
  const { models: api } = client;
  let seen: readonly ModelInfo[] = [];
  const list = async (): Promise<readonly ModelInfo[]> => (seen = await api.list());
  const find = async (kind: ModelInfo["kind"], id: string | undefined): Promise<ModelInfo> => {
    const all = await list();
    const found = all.find((model) => (id === undefined ? model.isDefault && model.kind === kind : model.id === id));
    if (found !== undefined) return found;
    throw new StarboxError("model_not_found", id === undefined ? "The box has no default model of this kind." : `No model "${id}".`, {
      hint: "./starbox models list shows them.",
      zh: { message: id === undefined ? "星匣没有这类默认模型。" : `没有名为“${id}”的模型。`, hint: "用 ./starbox models list 查看。" },
    });
  };
  const defaultId = (kind: ModelInfo["kind"]): string | null => seen.find((model) => model.isDefault && model.kind === kind)?.id ?? null;
  return {
    list,
    pull: (id) => api.pull(id),
    cancelPull: (id) => api.cancelPull(id),
    async waitFor(id, signal) {
      for (;;) {
        const model = (await list()).find((item) => item.id === id);
        if (model === undefined)
          throw new StarboxError("model_not_found", `No model "${id}".`, {
            hint: "./starbox models list shows them.",
            zh: { message: `没有名为“${id}”的模型。` },
          });
        if (model.state === "ready" || model.state === "loaded") return model;
        if (model.state === "failed" && model.error !== undefined) throw fromErrorRecord(model.error as Parameters<typeof fromErrorRecord>[0]);
        if (model.state === "available")
          throw new StarboxError("model_pull_cancelled", `Pulling ${id} was stopped.`, { zh: { message: `${id} 的下载已停止。` } });
        await pause(500, signal);
      }
    },
    import: async (filePath, id) =>
      (await client.http.json("POST", "/api/models/import", { json: { path: filePath, ...(id === undefined ? {} : { id }) } })) as ModelInfo,
    verify: (id) => api.verify(id),
    remove: (id) => api.remove(id),
    languageModel: async (id) => createRemoteModel(client, await find("language", id)),
    embeddingModel: async (id) => createRemoteEmbedder(client, await find("embedding", id)),
    /** As the box said when it was last asked for its list. */
    defaults: () => ({ language: defaultId("language"), embedding: defaultId("embedding") }),
  };
}

function system(client: Client): SystemService {
  const { system: api } = client;
  return {
    ready: () => api.ready(),
    info: () => api.info(),
    doctor: () => api.doctor(),
    listJobs: (_actor, query) => api.listJobs(query),
    cancelJob: (_actor, id) => api.cancelJob(id),
    retryJob: (_actor, id) => api.retryJob(id),
    metrics: async () => await (await client.http.send("GET", "/metrics")).text(),
  };
}

function operations(client: Client): OperationsService {
  const { operations: api } = client;
  return { ...api, rehearse: (id) => api.rehearse(id ?? "newest") };
}

function pages(client: Client): PageService {
  const { pages: api } = client;
  return {
    list: () => api.list(),
    create: (_actor, input) => api.create(input),
    update: (_actor, id, patch) => api.update(id, patch),
    remove: (_actor, id) => api.remove(id),
    open: async (id) => (await api.list()).find((page) => page.id === id && page.enabled) ?? null,
    ask() {
      throw new StarboxError("unsupported", "A page is asked at its own address, not here.", { zh: { message: "请在问答页自己的地址提问。" } });
    },
  };
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
