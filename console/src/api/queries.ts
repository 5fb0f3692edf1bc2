/** @file What screens read, each under one key. A screen that shows something moving asks again every second or two; a hidden tab does not ask. */
import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import type { SessionInfo } from "#client";
import type { AuditQuery, ChatTurn, DocumentInfo, KnowledgeBaseInfo, ModelInfo, UsageQuery } from "#contracts";
import { client } from "./client.ts";

const busyMs = 1500;
const calmMs = 15_000;

export const sessionQuery = () => queryOptions({ queryKey: ["session"], queryFn: client.account.session, staleTime: 60_000 });

export const basesQuery = () =>
  queryOptions({
    queryKey: ["bases"],
    queryFn: client.knowledge.listBases,
    refetchInterval: (query) => (query.state.data?.some(isBaseBusy) ? busyMs : calmMs),
  });

export const isBaseBusy = (base: KnowledgeBaseInfo): boolean => base.pending > 0 || base.embedded < base.chunks;
export const isDocumentBusy = (document: DocumentInfo): boolean =>
  document.state === "waiting" || document.state === "reading" || document.state === "words";

export type DocumentFilter = { readonly state?: string; readonly search?: string };

/** All pages that were asked for so far, in one list. */
export const documentsQuery = (kbId: string, filter: DocumentFilter = {}) =>
  infiniteQueryOptions({
    queryKey: ["documents", kbId, filter],
    queryFn: ({ pageParam }) => client.knowledge.listDocuments(kbId, { ...filter, limit: 200, ...(pageParam === "" ? {} : { cursor: pageParam }) }),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    refetchInterval: (query) => (query.state.data?.pages.some((page) => page.items.some(isDocumentBusy)) ? busyMs : calmMs),
  });

export const documentQuery = (id: string) =>
  queryOptions({
    queryKey: ["document", id],
    queryFn: () => client.knowledge.readDocument(id),
    refetchInterval: (query) => (query.state.data !== undefined && isDocumentBusy(query.state.data) ? busyMs : false),
  });

export const documentTextQuery = (id: string, version?: string) =>
  queryOptions({ queryKey: ["text", id, version ?? "current"], queryFn: () => client.knowledge.readText(id, version), staleTime: 60_000 });

export const chunksQuery = (documentId: string) =>
  queryOptions({ queryKey: ["chunks", documentId], queryFn: () => client.knowledge.listChunks(documentId) });
export const dictionaryQuery = (kbId: string) =>
  queryOptions({ queryKey: ["dictionary", kbId], queryFn: () => client.knowledge.readDictionary(kbId) });
export const curatedQuery = (kbId: string) => queryOptions({ queryKey: ["curated", kbId], queryFn: () => client.knowledge.listCurated(kbId) });
export const gapsQuery = (kbId: string) => queryOptions({ queryKey: ["gaps", kbId], queryFn: () => client.knowledge.listGaps(kbId) });

export const chatsQuery = () => queryOptions({ queryKey: ["chats"], queryFn: client.chats.list });
/** An answer whose row is still empty: being written for another window, or before a reload of this one. */
export const isTurnOpen = (turn: ChatTurn): boolean => turn.role === "assistant" && turn.content === "" && turn.error === null;
export const turnsQuery = (chatId: string) =>
  queryOptions({
    queryKey: ["turns", chatId],
    queryFn: () => client.chats.readTurns(chatId),
    staleTime: 10_000,
    refetchInterval: (query) => (query.state.data?.some(isTurnOpen) ? 2000 : false),
  });

const isModelBusy = (model: ModelInfo): boolean => model.state === "pulling";
export const modelsQuery = () =>
  queryOptions({
    queryKey: ["models"],
    queryFn: client.models.list,
    refetchInterval: (query) => (query.state.data?.some(isModelBusy) ? 1000 : calmMs),
  });

export const readyQuery = () =>
  queryOptions({ queryKey: ["ready"], queryFn: client.system.ready, refetchInterval: (query) => (query.state.data?.ready === true ? 30_000 : 2000) });
export const systemQuery = () => queryOptions({ queryKey: ["system"], queryFn: client.system.info, refetchInterval: 3000 });
export const doctorQuery = () => queryOptions({ queryKey: ["doctor"], queryFn: client.system.doctor, staleTime: 60_000 });
export const jobsQuery = (state?: string) =>
  queryOptions({
    queryKey: ["jobs", state ?? "all"],
    queryFn: () => client.system.listJobs({ limit: 200, ...(state === undefined ? {} : { state }) }),
    refetchInterval: (query) => (query.state.data?.some((job) => job.state === "running" || job.state === "queued") ? busyMs : 5000),
  });
export const backupStateQuery = () =>
  queryOptions({
    queryKey: ["backups", "state"],
    queryFn: client.operations.readState,
    refetchInterval: (query) => (query.state.data?.running ? busyMs : calmMs),
  });
export const backupsQuery = () => queryOptions({ queryKey: ["backups", "list"], queryFn: client.operations.listBackups });
export const storageQuery = () => queryOptions({ queryKey: ["storage"], queryFn: client.operations.storage, refetchInterval: calmMs });
export const updatesQuery = () => queryOptions({ queryKey: ["updates"], queryFn: client.operations.updates });
export const pagesQuery = () => queryOptions({ queryKey: ["pages"], queryFn: client.pages.list });
export const peopleQuery = () => queryOptions({ queryKey: ["people"], queryFn: client.people.list });
export const invitationsQuery = () => queryOptions({ queryKey: ["invitations"], queryFn: client.people.listInvitations });
export const teamsQuery = () => queryOptions({ queryKey: ["teams"], queryFn: client.people.listTeams });
export const directoryQuery = () => queryOptions({ queryKey: ["directory"], queryFn: client.people.readDirectory, staleTime: 30_000 });
export const accessQuery = (kbId: string) => queryOptions({ queryKey: ["access", kbId], queryFn: () => client.people.listAccess(kbId) });
export const sessionsQuery = () => queryOptions({ queryKey: ["sessions"], queryFn: () => client.account.listSessions() });
export const waysQuery = () => queryOptions({ queryKey: ["ways"], queryFn: client.account.signInWays, staleTime: 60_000 });
export const reviewsQuery = () => queryOptions({ queryKey: ["reviews"], queryFn: client.knowledge.listReviews, refetchInterval: 60_000 });
export const quotasQuery = () => queryOptions({ queryKey: ["quotas"], queryFn: client.usage.listQuotas });
export const usageQuery = (query: UsageQuery) =>
  queryOptions({ queryKey: ["usage", query], queryFn: () => client.usage.sum(query), refetchInterval: 30_000 });
export const masksQuery = () => queryOptions({ queryKey: ["privacy", "masks"], queryFn: client.privacy.readMasks });
export const retentionQuery = () => queryOptions({ queryKey: ["privacy", "retention"], queryFn: client.privacy.readRetention });
export const holdsQuery = () => queryOptions({ queryKey: ["privacy", "holds"], queryFn: client.privacy.listHolds });
export const auditStatusQuery = () => queryOptions({ queryKey: ["audit", "status"], queryFn: client.audit.status });
export const auditPages = (query: AuditQuery) =>
  infiniteQueryOptions({
    queryKey: ["audit", "pages", query],
    queryFn: ({ pageParam }) => client.audit.list({ ...query, limit: 100, ...(pageParam === null ? {} : { before: pageParam }) }),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.nextBefore,
  });
export const keysQuery = () => queryOptions({ queryKey: ["keys"], queryFn: client.keys.list });

/** Administrators look after the box; nobody who looks through another's eyes does. */
export const isAdministrator = (session: SessionInfo | undefined): boolean =>
  session?.actor?.role === "administrator" || session?.actor?.role === "operator";

/** A write, after which the named readings are asked for again (a prefix of a key is enough). */
export function useAction<Input, Output>(run: (input: Input) => Promise<Output>, invalidates: readonly (readonly string[])[]) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSettled: () => Promise.all(invalidates.map((queryKey) => queries.invalidateQueries({ queryKey }))),
  });
}
