/** @file The door of `operations`: backups and restores, nights, bundles, the service, watches over disk and memory. */
export { createBackup } from "./backup/backup.ts";
export { readPassphrase } from "./backup/passphrase.ts";
export { listBackups, type Restored, type RestoreDoor, rehearseRestore, restoreBackup } from "./backup/restore.ts";
export { createOperations, type Operations } from "./operations.ts";
