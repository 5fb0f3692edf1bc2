/** @file The composition root: opens a data folder and joins every room into the box's services. The only place where rooms meet. */
import path from "node:path";
import { createAssistants, createPageService } from "#assistants";
import { createLogger, type ErrorRecord, type Logger, newId, outbound, type Settings } from "#base";
import type { AuditSink, EmbeddingModel, Retriever, Services } from "#contracts";
import { createJobRunner } from "#jobs";
import {
  createAnswerer,
  createFileReader,
  createIngest,
  createKnowledgeService,
  createParsePool,
  createRetriever,
  questionLikeness,
} from "#knowledge";
import { meterAnswers, meterChats, meterEmbedding, meterKnowledge, meterModels } from "#metering";
import { createModels } from "#models";
import { createDiskWatch } from "#operations";
import { createAccess, createPeopleService, createRefusals, createRevocations, type Revocations } from "#platform";
import { checkDatabase, openStorage, type Storage } from "#storage";
import { createAttention } from "./attention.ts";
import { logContents } from "./content-log.ts";
import { openGovernance } from "./governance.ts";
import { readMachine } from "./machine.ts";
import { createNights } from "./nights.ts";
import { prepareModels } from "./prepare-models.ts";
import { createPrivacy } from "./privacy.ts";
import { createSystemService, readVersion } from "./system-service.ts";

const samplesFolder = path.join(import.meta.dirname, "../../samples");

export type Box = {
  readonly services: Services;
  readonly audit: AuditSink;
  readonly revocations: Revocations;
  readonly storage: Storage;
  readonly logger: Logger;
  readonly version: string;
  /** Takes up the jobs a stopped box left. */
  start(): Promise<void>;
  /** Settles which models are the defaults, asking which sources answer. */
  chooseDefaults(signal: AbortSignal): Promise<void>;
  /** Fetches missing default models and loads them. Returns what went wrong; never throws. */
  prepareModels(signal: AbortSignal): Promise<readonly ErrorRecord[]>;
  close(): Promise<void>;
};

export type OpenBoxOptions = {
  readonly serving: boolean;
  /** Stands between the box and its embedder: measurements keep vectors between runs. */
  readonly wrapEmbedder?: (model: EmbeddingModel) => EmbeddingModel;
};

/** Takes the data folder's lock: throws data_locked naming its holder. */
export function openBox(settings: Settings, options: OpenBoxOptions): Box {
  const storage = openStorage(settings.data, { command: options.serving ? "starbox start" : "starbox" });
  const logger = createLogger({ level: settings.logLevel, file: path.join(settings.data, "logs", "box.log") });
  const now = Date.now;
  if (settings.offline) outbound.seal();
  for (const place of settings.outbound) outbound.allow(place, "STARBOX_OUTBOUND");
  outbound.report((place, how) => logger.warn({ place, how }, "outbound: refused"));
  const machine = readMachine();
  const models = createModels({ dataDir: settings.data, settings, logger });
  const jobs = createJobRunner({ store: storage.jobs, logger });
  const pool = createParsePool({
    size: Math.max(1, Math.min(4, machine.cores)),
    memoryMb: settings.parseMemoryMb,
    timeoutMs: settings.parseTimeoutSeconds * 1000,
  });
  const reader = createFileReader(pool);
  const defaultEmbedder = (): string | null => models.defaults().embedding;
  const wrapEmbedder = options.wrapEmbedder ?? ((model: EmbeddingModel) => model);
  const embeddingModel = async (id?: string): Promise<EmbeddingModel> => wrapEmbedder(await models.embeddingModel(id));
  const embedders = { embeddingModel, defaultId: defaultEmbedder };
  const retriever = createRetriever({
    dataDir: settings.data,
    readerModule: new URL("../storage/index.ts", import.meta.url).href,
    embeddingModel: async (id) => meterEmbedding(await embeddingModel(id ?? undefined)),
    embedderOf: (kbId) => storage.kbs.find(kbId)?.embedder ?? defaultEmbedder(),
    logger,
  });
  const attention = createAttention(now);
  const askedRetriever: Retriever = { retrieve: async (request) => await attention.during(async () => await retriever.retrieve(request)) };
  const disk = createDiskWatch(settings.data, settings, logger);
  const ingest = createIngest({
    storage,
    jobs,
    reader,
    embedders,
    maxFileBytes: settings.maxFileMb * 2 ** 20,
    readers: Math.max(1, Math.min(4, machine.cores)),
    requireRoom: () => disk.requireRoom(),
    isBusy: () => attention.isWanted(models.engines().some((engine) => engine.running + engine.waiting > 0)),
    now,
    logger,
  });
  const access = createAccess(storage.access);
  const revocations = createRevocations();
  const governance = openGovernance({
    storage,
    settings,
    serving: options.serving,
    keyEnded: (id) => revocations.endKey(id),
    logger,
    now,
  });
  const { audit } = governance;
  const { meter } = governance.services;
  const meteredModels = meterModels(models, meter);
  const knowledge = createKnowledgeService({ storage, ingest, jobs, retriever: askedRetriever, reader, samplesFolder, access, audit, now });
  const answerer = createAnswerer({
    retriever: askedRetriever,
    readCurated: (kbId, viewer) => storage.curated.list(kbId).filter((row) => row.approved && row.documentIds.every((id) => access.sees(viewer, id))),
    pageAt: (versionId, offset) => storage.texts.pageAt(storage.versions.find(versionId)?.num ?? -1, offset),
  });
  const privacy = createPrivacy({
    storage,
    dataDir: settings.data,
    audit,
    knowledge,
    backups: async () => (await nights.operations.listBackups()).length,
    ended: (personId) => revocations.endPerson(personId),
    logger,
    now,
  });
  const assistants = createAssistants({
    storage: { ...storage, ...privacy.history },
    answerer,
    models: meteredModels,
    access,
    audit,
    likeness: questionLikeness,
    newId,
    now,
  });
  // An embedder that arrives, however it came, sets waiting vectors going.
  let embedderReady = false;
  const stopListening = models.onChange(() => {
    void models.list().then((list) => {
      const ready = list.some((model) => model.id === defaultEmbedder() && (model.state === "ready" || model.state === "loaded"));
      if (ready && !embedderReady) ingest.embedderArrived();
      embedderReady = ready;
    });
  });
  const nights = createNights({ settings, storage, jobs, disk, logger });
  const answered = new Set<string>();
  const people = createPeopleService({
    store: storage.people,
    access,
    lists: storage.access,
    kbs: storage.kbs,
    audit,
    ended: (personId) => revocations.endPerson(personId),
    now,
  });
  const system = createSystemService({
    access,
    findJob: (id) => storage.jobs.find(id),
    settings,
    models,
    jobs,
    engines: () => models.engines(),
    checkDatabase: async () => await checkDatabase(settings.data),
    answered: options.serving ? answered : null,
    serving: options.serving,
    backups: async () => await nights.operations.readState(),
    diskLevel: async () => disk.level(),
  });

  const refusals = createRefusals(audit, now);
  const masked = privacy.guard({
    knowledge: meterKnowledge(knowledge, meter),
    answers: meterAnswers(assistants.answers, meter),
    chats: meterChats(assistants.chats, meter),
    models: meteredModels,
    people,
  });

  const talking = settings.logContents ? logContents(masked, logger) : masked;
  if (settings.logContents && options.serving)
    audit.record({ actor: null, action: "contents.log", subject: null, outcome: "ok", details: { file: "logs/box.log" } });
  const guarded = {
    ...masked,
    knowledge: refusals.guard("knowledge", masked.knowledge),
    people: refusals.guard("people", masked.people),
    answers: refusals.guard("answers", talking.answers),
    chats: refusals.guard("chats", talking.chats),
  };

  return {
    services: {
      ...guarded,
      privacy: refusals.guard("privacy", privacy.service),
      system,
      operations: nights.operations,
      // Visitors are counted and masked like everybody else.
      pages: createPageService({ storage, access, audit, now }, guarded.answers),
      ...governance.services,
    },
    audit,
    revocations,
    storage,
    logger,
    version: readVersion(),
    async start() {
      await ingest.resume();
      jobs.start();
      if (options.serving) {
        nights.start();
        privacy.start();
      }
    },
    async chooseDefaults(signal) {
      await models.chooseDefaults(signal);
    },
    prepareModels: async (signal) =>
      await prepareModels(
        {
          models,
          logger,
          onAnswered(kind, id) {
            answered.add(id);
            if (kind === "embedding") ingest.embedderArrived();
          },
        },
        signal,
      ),
    async close() {
      stopListening();
      privacy.stop();
      await nights.stop();
      await jobs.stop();
      await ingest.close();
      await retriever.close();
      await models.close();
      await governance.close();
      storage.close();
    },
  };
}
