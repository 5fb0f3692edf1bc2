/** @file The door of `operations`: backups and restores, nights, bundles, the service, watches over disk and memory. */
export { createBackup } from "./backup/backup.ts";
export { readPassphrase } from "./backup/passphrase.ts";
export { listBackups, type RestoreDoor, type Restored, rehearseRestore, restoreBackup } from "./backup/restore.ts";
export { type BundledModel, type BundleReport, bundleName, createBundle, readBundle } from "./bundle/bundle.ts";
export { type UpgradeReport, upgradeBack, upgradeTo } from "./bundle/upgrade.ts";
export { type ClockWatch, createClockWatch } from "./clock-watch.ts";
export { createDiskWatch, type DiskWatch } from "./disk-watch.ts";
export { createMemoryWatch, type MemoryWatch } from "./memory-watch.ts";
export { createOperations, type Operations } from "./operations.ts";
export { installService, removeService } from "./service/install.ts";
export { renderUnit, type UnitOptions } from "./service/unit.ts";
