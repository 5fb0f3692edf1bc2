/** @file Every route of a box as a typed function. Shapes are those of `contracts`; nothing is cached or retried here. */
import type {
  AccessEntry,
  AccessList,
  Actor,
  AddedFile,
  ApiKeyInfo,
  AuditEntry,
  AuditQuery,
  AuditStatus,
  AuditVerdict,
  BackupInfo,
  BackupSchedule,
  BackupState,
  ChatInfo,
  ChatPart,
  ChatTurn,
  Check,
  ChunkInfo,
  CuratedAnswer,
  Directory,
  DocumentInfo,
  DueReview,
  ErasureReport,
  Hold,
  Invitation,
  JobInfo,
  KeyScopeInput,
  KnowledgeBaseInfo,
  KnowledgeGap,
  KnowledgeService,
  MaskPlace,
  MaskPolicy,
  ModelInfo,
  NewApiKey,
  Page,
  PageInfo,
  PageInput,
  PersonInfo,
  PrivacyService,
  Quota,
  QuotaKind,
  QuotaLimits,
  ReadyState,
  RehearsalReport,
  RetentionPolicy,
  RetentionReport,
  RetrieveFilter,
  RetrieveResult,
  Role,
  SessionInfoRow,
  StorageReport,
  SystemInfo,
  Team,
  UpdateState,
  UsageQuery,
  UsageSum,
} from "#contracts";

import { type ClientOptions, createHttp, type Http } from "./http.ts";

/** Who is signed in; `setupRequired` until the first administrator exists. */
export type SessionInfo = { readonly actor: Actor | null; readonly setupRequired: boolean; readonly email: string | null };
export type DocumentText = Awaited<ReturnType<KnowledgeService["readText"]>>;
export type Dictionary = Awaited<ReturnType<KnowledgeService["readDictionary"]>>;
export type DocumentQuery = NonNullable<Parameters<KnowledgeService["listDocuments"]>[2]>;
export type Person = PersonInfo;

export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  const http = createHttp(options);
  return {
    http,
    account: account(http),
    people: people(http),
    knowledge: knowledge(http),
    chats: chats(http),
    models: models(http),
    system: system(http),
    operations: operations(http),
    keys: keys(http),
    usage: usage(http),
    audit: audit(http),
    privacy: privacy(http),
    pages: pages(http),
  };
}

const at = (...parts: readonly (string | number)[]): string => `/api/${parts.map((part) => encodeURIComponent(part)).join("/")}`;
type Items<T> = { readonly items: readonly T[] };
const items = async <T>(answer: Promise<Items<T>>): Promise<readonly T[]> => (await answer).items;

function account(http: Http) {
  return {
    session: () => http.json<SessionInfo>("GET", at("session")),
    setUp: (json: { code: string; name: string; email: string; password: string }) => http.json<SessionInfo>("POST", at("setup"), { json }),
    signIn: (json: { email: string; password: string; code?: string }) => http.json<unknown>("POST", at("auth", "sign-in", "email"), { json }),
    signInWays: () => http.json<{ oidc: string | null; ldap: boolean }>("GET", at("auth", "ways")),
    signOut: () => http.json<unknown>("POST", at("auth", "sign-out"), { json: {} }),
    readInvitation: (token: string) => http.json<{ email: string; role: Role }>("POST", at("invitation"), { json: { token } }),
    changePassword: (json: { current: string; password: string }) => http.json<void>("POST", at("account", "password"), { json }),
    acceptInvitation: (json: { token: string; name: string; password: string }) =>
      http.json<SessionInfo>("POST", at("invitation", "accept"), { json }),
    listSessions: (person?: string) => items(http.json<Items<SessionInfoRow>>("GET", at("sessions"), { query: { person } })),
    endSession: (id: string, person?: string) => http.json<void>("DELETE", at("sessions", id), { query: { person } }),
    endOtherSessions: (person?: string) => http.json<void>("DELETE", at("sessions"), { query: { person } }),
    startSecondFactor: () => http.json<{ secret: string; uri: string }>("POST", at("second-factor"), { json: {} }),
    confirmSecondFactor: (code: string) => http.json<{ recovery: readonly string[] }>("POST", at("second-factor", "confirm"), { json: { code } }),
    removeSecondFactor: (json: { code?: string; person?: string }) => http.json<void>("POST", at("second-factor", "remove"), { json }),
  };
}

function people(http: Http) {
  return {
    list: () => items(http.json<Items<Person>>("GET", at("people"))),
    create: (json: { name: string; email: string; password?: string; role: Role; teamIds?: readonly string[] }) =>
      http.json<Person>("POST", at("people"), { json }),
    update: (id: string, json: { name?: string; role?: Role; password?: string }) => http.json<Person>("PATCH", at("people", id), { json }),
    remove: (id: string) => http.json<void>("DELETE", at("people", id)),
    reset: (emailOrId: string) => http.json<{ person: Person; password: string }>("POST", at("people", emailOrId, "reset"), { json: {} }),
    listInvitations: () => items(http.json<Items<Invitation>>("GET", at("invitations"))),
    createInvitation: (json: { email: string; role: Role; teamIds?: readonly string[]; days?: number }) =>
      http.json<Invitation & { token: string }>("POST", at("invitations"), { json }),
    removeInvitation: (id: string) => http.json<void>("DELETE", at("invitations", id)),
    listTeams: () => items(http.json<Items<Team>>("GET", at("teams"))),
    createTeam: (json: { name: string; parentId?: string | null }) => http.json<Team>("POST", at("teams"), { json }),
    updateTeam: (id: string, json: { name?: string; parentId?: string | null; memberIds?: readonly string[] }) =>
      http.json<Team>("PATCH", at("teams", id), { json }),
    removeTeam: (id: string) => http.json<void>("DELETE", at("teams", id)),
    readDirectory: () => http.json<Directory>("GET", at("directory")),
    listAccess: (kbId: string) => items(http.json<Items<AccessList>>("GET", at("bases", kbId, "access"))),
    writeAccess: (kbId: string, path: string, entries: readonly AccessEntry[]) =>
      http.json<AccessList>("PUT", at("bases", kbId, "access"), { json: { path, entries } }),
    removeAccess: (kbId: string, path: string) => http.json<void>("DELETE", at("bases", kbId, "access"), { query: { path } }),
  };
}

function knowledge(http: Http) {
  return {
    listBases: () => items(http.json<Items<KnowledgeBaseInfo>>("GET", at("bases"))),
    readBase: (idOrName: string) => http.json<KnowledgeBaseInfo>("GET", at("bases", idOrName)),
    createBase: (json: { name: string; description?: string; readers?: "everyone" }) => http.json<KnowledgeBaseInfo>("POST", at("bases"), { json }),
    updateBase: (id: string, json: { name?: string; description?: string; embedder?: string; approval?: boolean }) =>
      http.json<KnowledgeBaseInfo>("PATCH", at("bases", id), { json }),
    removeBase: (id: string) => http.json<void>("DELETE", at("bases", id)),
    addSamples: () => http.json<KnowledgeBaseInfo>("POST", at("samples"), { json: {} }),

    /** The raw bytes of one file, streamed; `path` keeps its folder. */
    addFile: (
      kbId: string,
      path: string,
      body: NonNullable<RequestInit["body"]>,
      more: { readonly tags?: readonly string[]; readonly signal?: AbortSignal } = {},
    ) =>
      http.json<AddedFile>("PUT", at("bases", kbId, "files"), {
        query: { path, tags: more.tags?.join(",") },
        body,
        headers: { "content-type": "application/octet-stream" },
        ...(more.signal === undefined ? {} : { signal: more.signal }),
      }),
    addFileUrl: (kbId: string, path: string) => http.url(at("bases", kbId, "files"), { path }),
    listDocuments: (kbId: string, query: DocumentQuery = {}) =>
      http.json<Page<DocumentInfo>>("GET", at("bases", kbId, "documents"), { query: { ...query } }),
    readDocument: (id: string) => http.json<DocumentInfo>("GET", at("documents", id)),
    updateDocument: (
      id: string,
      json: { tags?: readonly string[]; title?: string; date?: string | null; ownerId?: string | null; reviewAt?: string | null },
    ) => http.json<DocumentInfo>("PATCH", at("documents", id), { json }),
    approveDocument: (id: string, approved: boolean) => http.json<DocumentInfo>("PUT", at("documents", id, "approval"), { json: { approved } }),
    listReviews: () => items(http.json<Items<DueReview>>("GET", at("reviews"))),
    removeDocument: (id: string) => http.json<void>("DELETE", at("documents", id)),
    retryDocument: (id: string) => http.json<void>("POST", at("documents", id, "retry"), { json: {} }),
    readText: (id: string, version?: string) => http.json<DocumentText>("GET", at("documents", id, "text"), { query: { version } }),
    originalUrl: (id: string, version?: string) => http.url(at("documents", id, "original"), { version }),

    listChunks: (documentId: string) => items(http.json<Items<ChunkInfo>>("GET", at("documents", documentId, "chunks"))),
    updateChunk: (id: number, text: string) => http.json<ChunkInfo>("PATCH", at("chunks", id), { json: { text } }),
    splitChunk: (id: number, offset: number) => items(http.json<Items<ChunkInfo>>("POST", at("chunks", id, "split"), { json: { at: offset } })),
    mergeChunk: (id: number) => http.json<ChunkInfo>("POST", at("chunks", id, "merge"), { json: {} }),

    search: (kbId: string, json: { query: string; limit?: number; filter?: RetrieveFilter; lexicalOnly?: boolean }, signal?: AbortSignal) =>
      http.json<RetrieveResult>("POST", at("bases", kbId, "search"), { json, ...(signal === undefined ? {} : { signal }) }),
    readDictionary: (kbId: string) => http.json<Dictionary>("GET", at("bases", kbId, "dictionary")),
    writeDictionary: (kbId: string, json: Dictionary) => http.json<void>("PUT", at("bases", kbId, "dictionary"), { json }),
    listCurated: (kbId: string) => items(http.json<Items<CuratedAnswer>>("GET", at("bases", kbId, "curated"))),
    writeCurated: (kbId: string, json: { id?: string; question: string; answer: string }) =>
      http.json<CuratedAnswer>("POST", at("bases", kbId, "curated"), { json }),
    removeCurated: (id: string) => http.json<void>("DELETE", at("curated", id)),
    approveCurated: (id: string) => http.json<void>("POST", at("curated", id, "approve"), { json: {} }),
    listGaps: (kbId: string) => items(http.json<Items<KnowledgeGap>>("GET", at("bases", kbId, "gaps"))),
    resolveGap: (id: string) => http.json<void>("POST", at("gaps", id, "resolve"), { json: {} }),
  };
}

function chats(http: Http) {
  return {
    list: () => items(http.json<Items<ChatInfo>>("GET", at("chats"))),
    create: (json: { kbIds: readonly string[]; model?: string }) => http.json<ChatInfo>("POST", at("chats"), { json }),
    update: (id: string, json: { title?: string; kbIds?: readonly string[]; model?: string | null }) =>
      http.json<ChatInfo>("PATCH", at("chats", id), { json }),
    remove: (id: string) => http.json<void>("DELETE", at("chats", id)),
    readTurns: (id: string) => items(http.json<Items<ChatTurn>>("GET", at("chats", id, "turns"))),
    /** Streams until `finish` or `error`; aborting the signal stops the model too. */
    ask: (id: string, json: { content?: string; replaceTurnId?: string; retryTurnId?: string }, signal?: AbortSignal) =>
      http.events<ChatPart>("POST", at("chats", id, "ask"), { json, ...(signal === undefined ? {} : { signal }) }),
    rateTurn: (id: string, rating: "up" | "down" | null) => http.json<void>("PUT", at("turns", id, "rating"), { json: { rating } }),
    correctTurn: (id: string, json: { text: string; reason?: string }) => http.json<void>("PUT", at("turns", id, "correction"), { json }),
  };
}

function models(http: Http) {
  return {
    list: () => items(http.json<Items<ModelInfo>>("GET", at("models"))),
    pull: (id: string) => http.json<ModelInfo>("POST", at("models", id, "pull"), { json: {} }),
    cancelPull: (id: string) => http.json<void>("POST", at("models", id, "cancel"), { json: {} }),
    verify: (id: string) =>
      http.json<{ id: string; ok: boolean; expected: string | null; found: string | null }>("POST", at("models", id, "verify"), { json: {} }),
    import: (json: { path: string; id?: string }) => http.json<void>("POST", at("models", "import"), { json }),
    remove: (id: string) => http.json<void>("DELETE", at("models", id)),
  };
}

function system(http: Http) {
  return {
    /** Also answers while not ready (503 carries the same body). */
    ready: async (): Promise<ReadyState> => http.json<ReadyState>("GET", at("system", "ready")),
    info: () => http.json<SystemInfo>("GET", at("system")),
    doctor: () => items(http.json<Items<Check>>("GET", at("system", "doctor"))),
    listJobs: (query: { state?: string; limit?: number } = {}) => items(http.json<Items<JobInfo>>("GET", at("jobs"), { query })),
    cancelJob: (id: string) => http.json<void>("POST", at("jobs", id, "cancel"), { json: {} }),
    retryJob: (id: string) => http.json<void>("POST", at("jobs", id, "retry"), { json: {} }),
  };
}

function operations(http: Http) {
  return {
    backup: (json: { withModels?: boolean } = {}) => http.json<BackupInfo>("POST", at("backups"), { json }),
    listBackups: () => items(http.json<Items<BackupInfo>>("GET", at("backups"))),
    removeBackup: (id: string) => http.json<void>("DELETE", at("backups", id)),
    rehearse: (id: string) => http.json<RehearsalReport>("POST", at("backups", id, "rehearsal"), { json: {} }),
    readState: () => http.json<BackupState>("GET", at("backups", "state")),
    writeSchedule: (json: Partial<BackupSchedule>) => http.json<BackupState>("PATCH", at("backups", "state"), { json }),
    storage: () => http.json<StorageReport>("GET", at("system", "storage")),
    updates: () => http.json<UpdateState>("GET", at("system", "updates")),
  };
}

function keys(http: Http) {
  return {
    list: () => items(http.json<Items<ApiKeyInfo>>("GET", at("keys"))),
    create: (json: KeyScopeInput & { name: string; personId?: string; teamId?: string }) => http.json<NewApiKey>("POST", at("keys"), { json }),
    update: (id: string, json: KeyScopeInput & { name?: string }) => http.json<ApiKeyInfo>("PATCH", at("keys", id), { json }),
    rotate: (id: string, json: { graceSeconds?: number } = {}) => http.json<NewApiKey>("POST", at("keys", id, "rotate"), { json }),
    revoke: (id: string) => http.json<void>("DELETE", at("keys", id)),
  };
}

const usageQuery = ({ by, ...rest }: UsageQuery) => ({ ...rest, ...(by === undefined ? {} : { by: by.join(",") }) });

function usage(http: Http) {
  return {
    sum: (query: UsageQuery = {}) => items(http.json<Items<UsageSum>>("GET", at("usage"), { query: usageQuery(query) })),
    csv: async (query: UsageQuery = {}) => {
      // As bytes: reading as text would drop the byte order mark.
      const bytes = await (await http.send("GET", "/api/usage.csv", { query: usageQuery(query) })).arrayBuffer();
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    },
    csvUrl: (query: UsageQuery = {}) => http.url("/api/usage.csv", usageQuery(query)),
    listQuotas: () => items(http.json<Items<Quota>>("GET", at("quotas"))),
    writeQuota: (json: { kind: QuotaKind; subject: string } & Partial<QuotaLimits>) => http.json<Quota>("PUT", at("quotas"), { json }),
  };
}

function audit(http: Http) {
  return {
    list: (query: AuditQuery & { before?: number; limit?: number } = {}) =>
      http.json<{ readonly items: readonly AuditEntry[]; readonly nextBefore: number | null }>("GET", at("audit"), { query }),
    verify: () => http.json<AuditVerdict>("POST", at("audit", "verify"), { json: {} }),
    status: () => http.json<AuditStatus>("GET", at("audit", "status")),
    export: (format: "jsonl" | "syslog", query: AuditQuery = {}) => http.send("GET", at("audit", "export"), { query: { ...query, format } }),
    exportUrl: (format: "jsonl" | "syslog") => http.url(at("audit", "export"), { format }),
  };
}

function privacy(http: Http) {
  return {
    readMasks: () => http.json<MaskPolicy>("GET", at("privacy", "masks")),
    writeMasks: (json: Partial<MaskPolicy>) => http.json<MaskPolicy>("PATCH", at("privacy", "masks"), { json }),
    tryMasks: (text: string) => http.json<Record<MaskPlace, string>>("POST", at("privacy", "try"), { json: { text } }),
    maskHistory: () => http.json<Awaited<ReturnType<PrivacyService["maskHistory"]>>>("POST", at("privacy", "mask-history"), { json: {} }),
    readRetention: () => http.json<RetentionPolicy>("GET", at("privacy", "retention")),
    writeRetention: (json: Partial<RetentionPolicy>) => http.json<RetentionPolicy>("PATCH", at("privacy", "retention"), { json }),
    runRetention: () => http.json<RetentionReport>("POST", at("privacy", "retention", "run"), { json: {} }),
    listHolds: () => items(http.json<Items<Hold>>("GET", at("privacy", "holds"))),
    addHold: (json: { kind: Hold["kind"]; subject: string; reason: string }) => http.json<Hold>("POST", at("privacy", "holds"), { json }),
    releaseHold: (id: string) => http.json<void>("DELETE", at("privacy", "holds", id)),
    exportPerson: (person: string) => http.send("GET", at("privacy", "people", person, "export")),
    exportPersonUrl: (person: string) => http.url(at("privacy", "people", person, "export")),
    erasePerson: (person: string) => http.json<ErasureReport>("POST", at("privacy", "people", person, "erase"), { json: {} }),
    listErasures: () => items(http.json<Items<ErasureReport>>("GET", at("privacy", "erasures"))),
  };
}

function pages(http: Http) {
  return {
    list: () => items(http.json<Items<PageInfo>>("GET", at("pages"))),
    create: (json: PageInput) => http.json<PageInfo>("POST", at("pages"), { json }),
    update: (id: string, json: Partial<PageInput>) => http.json<PageInfo>("PATCH", at("pages", id), { json }),
    remove: (id: string) => http.json<void>("DELETE", at("pages", id)),
  };
}
