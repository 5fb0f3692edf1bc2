/** @file The door of `storage`: a data folder as rows and blobs. The only room that writes SQL. */
export type { AccessRepository, DocumentAccess, EntryRow, ListRow, OpenLists } from "./access.ts";
export type { BlobSource, Blobs, PinnedBlob } from "./blobs.ts";
export type { AnswerRepository, AnswerRow, ChatRepository, ChatRow, TurnRow } from "./chats.ts";
export { checkDatabase } from "./check-database.ts";
export type { ChunkIndex, VectorRow, WordsRow } from "./chunk-index.ts";
export type { ChunkRepository, ChunkRow, VectorRepository } from "./chunks.ts";
export { type Connection, diskFull, nameSqliteError, openConnection, type SqlValue } from "./connection.ts";
export type { DocumentRepository, DocumentRow, TextRow, VersionRepository, VersionRow } from "./documents.ts";
export { type IndexReader, openIndexReader } from "./index-read.ts";
export type { JobRepository, JobRow, NewJob } from "./jobs.ts";
export type { CuratedRepository, CuratedRow, Dictionary, GapRepository, GapRow, KbRepository, KbRow } from "./kbs.ts";
export { type KeptCopy, keepCopy, listKeptCopies, returnToCopy } from "./kept.ts";
export { type DataLock, type LockHolder, lockDataFolder, readLockHolder } from "./lock.ts";
export { hasPendingMigrations, type Migration, migrate, newestSchema, readSchemaVersion } from "./migrate.ts";
export { openStorage, type SettingRepository, type Storage } from "./open.ts";
export { type AuthRow, type AuthWhere, createPeopleStore, type PeopleStore } from "./people.ts";
export { type DatabaseFacts, describeDatabase, snapshotDatabase } from "./snapshot.ts";
export type { InvitationRow, SecondFactorRow } from "./teams.ts";
