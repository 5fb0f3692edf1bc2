/** @file Work on a box from outside it: restore, and what else needs no running box. Loaded when a command asks for it. */
import type { Workshop } from "#cli";
import { listBackups, readPassphrase, restoreBackup } from "#operations";
import { databaseDoor } from "./nights.ts";

export const workshop: Workshop = {
  listBackups: async (folder, keyFile) => await listBackups(folder, readPassphrase(keyFile)),
  restore: async ({ keyFile, ...request }) => await restoreBackup({ ...request, passphrase: readPassphrase(keyFile), database: databaseDoor }),
};
