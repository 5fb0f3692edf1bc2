/** @file Nights: backups, their rotation and rehearsal, the disk. As `server`, `cli` and the console see them. */

export type BackedUpModel = { readonly id: string; readonly sha256: string; readonly sizeBytes: number; readonly source: string };

export type BackupInfo = {
  readonly id: string;
  readonly at: string;
  /** Version of Starbox and number of the newest migration when it was made. */
  readonly version: string;
  readonly schema: number;
  readonly files: number;
  /** What a restore writes, and what this backup added to the folder: the rest was there from earlier ones. */
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly seconds: number;
  readonly encrypted: boolean;
  /** Named by hash; their files are not inside unless `withModels`. */
  readonly models: readonly BackedUpModel[];
  readonly withModels: boolean;
};

export type BackupSchedule = {
  readonly enabled: boolean;
  /** Local time, HH:MM. */
  readonly at: string;
  readonly keepDaily: number;
  readonly keepWeekly: number;
  readonly keepMonthly: number;
  /** Restore each new backup into a folder of its own, check it, remove it. */
  readonly rehearse: boolean;
};

export type RehearsalReport = {
  readonly backupId: string;
  readonly at: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly found: string }[];
};

/** What the last night brought. */
export type BackupState = {
  readonly folder: string;
  readonly encrypted: boolean;
  /** The folder lies on the data's own disk: a broken disk takes both. */
  readonly sameDisk: boolean;
  readonly schedule: BackupSchedule;
  readonly nextAt: string | null;
  readonly running: boolean;
  readonly last: { readonly at: string; readonly backupId: string | null; readonly error: string | null } | null;
  readonly rehearsal: RehearsalReport | null;
};

export type DiskLevel = "ok" | "low" | "full";
export type StorageReport = {
  readonly level: DiskLevel;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Below these the box warns, and takes no more files. */
  readonly warnBelowBytes: number;
  readonly refuseBelowBytes: number;
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
};

export type UpdateState = {
  readonly version: string;
  readonly commit: string | null;
  readonly schema: number;
  /** Copies of the database kept before a migration: what `starbox upgrade --back` returns to. */
  readonly kept: readonly { readonly file: string; readonly schema: number; readonly at: string; readonly sizeBytes: number }[];
};

export type OperationsService = {
  backup(options?: { readonly withModels?: boolean }): Promise<BackupInfo>;
  listBackups(): Promise<readonly BackupInfo[]>;
  removeBackup(id: string): Promise<void>;
  /** No id: the newest. */
  rehearse(id?: string): Promise<RehearsalReport>;
  readState(): Promise<BackupState>;
  writeSchedule(patch: Partial<BackupSchedule>): Promise<BackupState>;
  storage(): Promise<StorageReport>;
  updates(): Promise<UpdateState>;
};
