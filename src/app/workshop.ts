/** @file Work on a box from outside it: restore, bundles, upgrades. Loaded when a command asks for it. */
import path from "node:path";
import { type Settings, StarboxError, settingsTable, silentLogger } from "#base";
import type { Workshop } from "#cli";
import { createModels } from "#models";
import {
  type BundledModel,
  createBundle,
  installService,
  listBackups,
  readPassphrase,
  removeService,
  renderUnit,
  restoreBackup,
  type UnitOptions,
  upgradeBack,
  upgradeTo,
} from "#operations";
import { listKeptCopies, returnToCopy } from "#storage";
import { readMachine } from "./machine.ts";
import { databaseDoor } from "./nights.ts";
import { readCommit, readVersion } from "./system-service.ts";

/** The files of models in the data folder; null: those that answer now. */
async function findModels(settings: Settings, ids: readonly string[] | null): Promise<readonly BundledModel[]> {
  const models = createModels({ dataDir: settings.data, settings, logger: silentLogger });
  try {
    const { language, embedding } = models.defaults();
    const wanted = ids ?? [language, embedding].filter((id) => id !== null);
    const found: BundledModel[] = [];
    for (const id of wanted) {
      const model = (await models.list()).find((item) => item.id === id);
      if (model === undefined || (model.state !== "ready" && model.state !== "loaded")) {
        if (ids === null) continue;
        throw new StarboxError("model_not_ready", `${id} is not in ${settings.data}.`, {
          hint: `starbox models pull ${id}`,
          zh: { message: `${settings.data} 中没有模型 ${id}。`, hint: `starbox models pull ${id}` },
        });
      }
      found.push({ id, kind: model.kind, filePath: path.join(settings.data, "models", `sha256-${model.sha256}.gguf`) });
    }
    return found;
  } finally {
    await models.close();
  }
}

const main = path.join(import.meta.dirname, "main.ts");

function unitOptions(settings: Settings, flags: Parameters<Workshop["renderService"]>[1]): UnitOptions {
  const backups = flags.backups ?? settings.backups;
  return {
    command:
      settings.bundle === ""
        ? [process.execPath, "--conditions=starbox-source", "--disable-warning=ExperimentalWarning", main]
        : [path.join(settings.bundle, "current/run")],
    user: flags.user,
    // A service has no home: unless a folder was named, its data lies where systemd keeps state.
    dataDir: settings.data === settingsTable.data.fallback ? "/var/lib/starbox" : settings.data,
    host: flags.host ?? settings.host,
    port: flags.port ?? settings.port,
    writable: backups === "" ? [] : [path.resolve(backups)],
    devices: readMachine().gpu !== null,
    environment: {
      ...(backups === "" ? {} : { STARBOX_BACKUPS: path.resolve(backups) }),
      ...(settings.tls === "self" ? { STARBOX_TLS: "self" } : {}),
    },
  };
}

export const workshop: Workshop = {
  listBackups: async (folder, keyFile) => await listBackups(folder, readPassphrase(keyFile)),
  restore: async ({ keyFile, ...request }) => await restoreBackup({ ...request, passphrase: readPassphrase(keyFile), database: databaseDoor }),
  async bundle({ out, settings, models, signal }) {
    const { meta, ...made } = await createBundle({
      root: path.join(import.meta.dirname, "../.."),
      out,
      version: readVersion(),
      commit: readCommit(),
      models: await findModels(settings, models),
      signal,
    });
    return { ...made, models: meta.models };
  },
  renderService: (settings, flags) => renderUnit(unitOptions(settings, flags)),
  installService: (settings, flags) => installService(unitOptions(settings, flags)),
  removeService,
  upgrade: async (file, settings) => await upgradeTo(file, { home: settings.bundle, dataDir: settings.data, database: databaseDoor }),
  async upgradeBack(settings) {
    // The database first: while a box holds the folder this throws, and nothing has changed.
    const returned = listKeptCopies(settings.data).length > 0 ? returnToCopy(settings.data) : null;
    const version = await upgradeBack(settings.bundle);
    if (returned === null && version === null)
      throw new StarboxError("not_found", "There is no version to go back to.", { zh: { message: "没有可以退回的版本。" } });
    return { version: version?.to ?? null, copy: returned?.copy ?? null, setAside: returned?.setAside ?? null };
  },
};
