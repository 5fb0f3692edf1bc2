/** @file Opens a data folder: lock, database at this version's schema, repositories, blobs. The only way in. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { StarboxError } from "#base";
import { type AccessRepository, createAccessRepository } from "./access.ts";
import { type AuditRepository, createAuditRepository } from "./audit.ts";
import { type Blobs, createBlobs } from "./blobs.ts";
import { type AnswerRepository, type ChatRepository, createAnswerRepository, createChatRepository } from "./chats.ts";
import { checkIntegrity } from "./check-integrity.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { type ChunkRepository, createChunkRepository, createVectorRepository, type VectorRepository } from "./chunks.ts";
import { busyTimeoutMs, type Connection, nameSqliteError, openConnection } from "./connection.ts";
import {
  createDocumentRepository,
  createTextRepository,
  createVersionRepository,
  type DocumentRepository,
  type TextRepository,
  type VersionRepository,
} from "./documents.ts";
import { forgetDocuments } from "./forget.ts";
import { createChunkIndex } from "./index-write.ts";
import { createJobRepository, type JobRepository } from "./jobs.ts";
import {
  type CuratedRepository,
  createCuratedRepository,
  createGapRepository,
  createKbRepository,
  type GapRepository,
  type KbRepository,
} from "./kbs.ts";
import { keepCopy } from "./kept.ts";
import { type DataLock, lockDataFolder } from "./lock.ts";
import { hasPendingMigrations, migrate } from "./migrate.ts";
import { createPageRepository, type PageRepository } from "./pages.ts";
import { createPeopleStore, type PeopleStore } from "./people.ts";
import { createPrivacyRepository, type PrivacyRepository } from "./privacy.ts";
import { createUsageRepository, type UsageRepository } from "./usage.ts";

export type Storage = {
  readonly dataDir: string;
  /** For what brings its own statements: sign-in, the search index, a retrieval worker. */
  readonly connection: Connection;
  /** null for a read-only storage. */
  readonly lock: DataLock | null;
  readonly blobs: Blobs;
  readonly settings: SettingRepository;
  readonly kbs: KbRepository;
  readonly documents: DocumentRepository;
  readonly versions: VersionRepository;
  readonly texts: TextRepository;
  readonly chunks: ChunkRepository;
  readonly vectors: VectorRepository;
  readonly index: ChunkIndex;
  readonly jobs: JobRepository;
  readonly curated: CuratedRepository;
  readonly gaps: GapRepository;
  readonly chats: ChatRepository;
  readonly answers: AnswerRepository;
  readonly pages: PageRepository;
  readonly people: PeopleStore;
  readonly access: AccessRepository;
  readonly audit: AuditRepository;
  readonly usage: UsageRepository;
  readonly privacy: PrivacyRepository;
  transaction<T>(work: () => T): T;
  /** For what can be made again after a power cut (a killed process loses nothing): no wait for the disk. */
  transactionRelaxed<T>(work: () => T): T;
  /** Resolves when all that was committed before, relaxed too, is on the disk for good. Those who wait at the same time share one wait. */
  flushed(): Promise<void>;
  /** Takes removed documents' words out of gaps, chats and lineage: places stay named, quotes go. */
  forgetDocuments(documentIds: readonly string[]): void;
  /** Empties the write-ahead log, so that deleted words leave the disk. False: a reader was in the way; try later. */
  checkpoint(): boolean;
  /** "ok", or what SQLite found wrong. */
  checkIntegrity(): string;
  close(): void;
};

export type SettingRepository = ReturnType<typeof createSettingRepository>;

function createSettingRepository(connection: Connection) {
  return {
    read: (key: string) => connection.get<{ value: string }>("SELECT value FROM settings WHERE key = ?", key)?.value ?? null,
    write: (key: string, value: string) =>
      connection.run("INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value),
    remove: (key: string) => connection.run("DELETE FROM settings WHERE key = ?", key),
  };
}

/**
 * A writer holds the data folder's lock until `close`; throws `data_locked` naming the holder.
 * Read-only ones (retrieval workers, doctor beside a running box) need no lock and a database that exists.
 */
export function openStorage(dataDir: string, options: { readonly readOnly?: boolean; readonly command?: string } = {}): Storage {
  const readOnly = options.readOnly ?? false;
  const lock = readOnly ? null : lockDataFolder(dataDir, options.command ?? "starbox");
  let connection: Connection | undefined;
  try {
    if (!readOnly) for (const folder of ["blobs", "tmp", "models", "logs"]) mkdirSync(path.join(dataDir, folder), { recursive: true, mode: 0o700 });
    connection = openConnection(path.join(dataDir, "box.db"), { readOnly });
    if (!readOnly) {
      if (hasPendingMigrations(connection)) keepCopy(connection, dataDir);
      migrate(connection);
    }
    return createStorage(dataDir, connection, lock);
  } catch (error) {
    connection?.close();
    lock?.release();
    throw nameSqliteError(error, dataDir);
  }
}

function createStorage(dataDir: string, connection: Connection, lock: DataLock | null): Storage {
  return {
    dataDir,
    connection,
    lock,
    blobs: createBlobs(dataDir),
    settings: createSettingRepository(connection),
    kbs: createKbRepository(connection),
    documents: createDocumentRepository(connection),
    versions: createVersionRepository(connection),
    texts: createTextRepository(connection),
    chunks: createChunkRepository(connection),
    vectors: createVectorRepository(connection),
    index: createChunkIndex(connection),
    jobs: createJobRepository(connection),
    curated: createCuratedRepository(connection),
    gaps: createGapRepository(connection),
    chats: createChatRepository(connection),
    answers: createAnswerRepository(connection),
    pages: createPageRepository(connection),
    people: createPeopleStore(connection),
    access: createAccessRepository(connection),
    audit: createAuditRepository(connection),
    usage: createUsageRepository(connection),
    privacy: createPrivacyRepository(connection),
    transaction: (work) => connection.transaction(work),
    transactionRelaxed: (work) => connection.transaction(work, { durable: false }),
    flushed: () => connection.flushed(),
    forgetDocuments: (documentIds) => forgetDocuments(connection, documentIds),
    checkpoint() {
      // Asks without waiting: a reader in the way must not stop the box.
      connection.raw.exec("PRAGMA busy_timeout = 0");
      try {
        return connection.get<{ busy: number }>("PRAGMA wal_checkpoint(TRUNCATE)")?.busy === 0;
      } catch (error) {
        if (StarboxError.is(error, "busy")) return false;
        throw error;
      } finally {
        connection.raw.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
      }
    },
    checkIntegrity() {
      return checkIntegrity(connection);
    },
    close() {
      connection.close();
      lock?.release();
    },
  };
}
