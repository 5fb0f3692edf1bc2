/** @file Joins backups and watches to a box: what `operations` needs from the other rooms. */
import { existsSync } from "node:fs";
import path from "node:path";
import type { Logger, Settings } from "#base";
import type { JobRunner } from "#contracts";
import { createClockWatch, createMemoryWatch, createOperations, type DiskWatch, type Operations } from "#operations";
import { checkDatabase, describeDatabase, listKeptCopies, lockDataFolder, readSchemaVersion, type Storage, snapshotDatabase } from "#storage";
import { availableMemoryBytes, readMachine } from "./machine.ts";
import { readCommit, readVersion } from "./system-service.ts";

/** What `operations` may ask of a database file; it contains no SQL of its own. */
export const databaseDoor = {
  snapshot: async (dataDir: string, target: string) => await snapshotDatabase(path.join(dataDir, "box.db"), target),
  describe: describeDatabase,
  check: async (dataDir: string) => (existsSync(path.join(dataDir, "box.db")) ? await checkDatabase(dataDir) : "there is no database"),
  lock: (dataDir: string) => lockDataFolder(dataDir, "starbox restore"),
};

export type Nights = { readonly operations: Operations; start(): void; stop(): Promise<void> };

export function createNights(parts: {
  readonly settings: Settings;
  readonly storage: Storage;
  readonly jobs: JobRunner;
  readonly disk: DiskWatch;
  readonly logger: Logger;
}): Nights {
  const { settings, storage, jobs, disk, logger } = parts;
  const operations = createOperations({
    dataDir: settings.data,
    settings,
    store: storage.settings,
    database: databaseDoor,
    version: readVersion(),
    storage: () => disk.report(),
    updates: () => ({
      version: readVersion(),
      commit: readCommit(),
      schema: readSchemaVersion(storage.connection),
      kept: listKeptCopies(settings.data),
    }),
    logger,
    now: Date.now,
  });
  const memory = createMemoryWatch({
    availableBytes: availableMemoryBytes,
    totalBytes: readMachine().memoryBytes,
    pauseLargest: () => jobs.pauseLargest()?.subject ?? null,
    hold: (held) => jobs.hold(held),
    logger,
  });
  const clock = createClockWatch({
    wall: Date.now,
    monotonic: () => performance.now(),
    // Work that was to be tried again at a time that is now far away is due at once.
    jumped: () => {
      for (const kind of ["ingest", "embed", "reembed", "pull", "purge"] as const) jobs.hurry(kind);
    },
    logger,
  });
  return {
    operations,
    start() {
      operations.start();
      memory.start();
      clock.start();
    },
    async stop() {
      memory.stop();
      clock.stop();
      await operations.stop();
    },
  };
}
