/** @file `starbox upgrade FILE` and back: another bundle beside the one in use, tried on a copy of the data, then one link changes. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import fsp from "node:fs/promises";
import path from "node:path";
import { newId, StarboxError } from "#base";
import type { DatabaseDoor } from "../backup/backup.ts";
import { bundleName, readBundle } from "./bundle.ts";

export type UpgradeOptions = {
  /** The installation: versions/, current, starbox. "": this Starbox does not run from a bundle. */
  readonly home: string;
  readonly dataDir: string;
  readonly database: Pick<DatabaseDoor, "snapshot" | "describe">;
};
export type UpgradeReport = {
  readonly from: string;
  readonly to: string;
  /** Schema of the data as it is; the new version brings it up to date when it starts, keeping a copy. */
  readonly schema: number | null;
  readonly restarted: boolean;
};

const notABundle = (): StarboxError =>
  new StarboxError("usage", "This Starbox runs from a clone, not from a bundle.", {
    hint: "A clone is upgraded with git pull and a restart; the data folder keeps a copy from before. Back: git checkout the old version, then starbox upgrade --back.",
    zh: {
      message: "当前星匣运行于源码目录，而非安装包。",
      hint: "源码目录请用 git pull 升级并重启，数据文件夹会保留升级前的副本；退回：检出旧版本后运行 starbox upgrade --back。",
    },
  });

const currentOf = (home: string): string => path.basename(fs.readlinkSync(path.join(home, "current")));

export async function upgradeTo(file: string, options: UpgradeOptions): Promise<UpgradeReport> {
  const { home } = options;
  if (home === "") throw notABundle();
  const meta = readBundle(file);
  if (meta.platform !== `${process.platform}-${process.arch}`)
    throw new StarboxError("invalid_input", `${file} is for ${meta.platform}; this machine is ${process.platform}-${process.arch}.`, {
      zh: { message: `${file} 适用于 ${meta.platform}，本机为 ${process.platform}-${process.arch}。` },
    });
  const to = bundleName(meta);
  const from = currentOf(home);
  const unpacked = spawnSync("/bin/sh", [path.resolve(file), "--unpack-only"], {
    env: { PATH: "/usr/local/bin:/usr/bin:/bin", STARBOX_HOME: home },
    encoding: "utf8",
  });
  if (unpacked.status !== 0) throw failed(to, unpacked.stderr);
  const schema = await tryOnCopy(path.join(home, "versions", to, "run"), to, options);
  await switchTo(home, to);
  await fsp.writeFile(path.join(home, "previous"), from);
  return { from, to, schema, restarted: restartService() };
}

/** The new version opens a copy of the data: what cannot be migrated is found before anything changes. */
async function tryOnCopy(run: string, to: string, { dataDir, database }: UpgradeOptions): Promise<number | null> {
  if (!fs.existsSync(path.join(dataDir, "box.db"))) return null;
  const copy = path.join(dataDir, "tmp", newId("upgrade"));
  await fsp.mkdir(copy, { recursive: true, mode: 0o700 });
  try {
    await database.snapshot(dataDir, path.join(copy, "box.db"));
    const { schema } = database.describe(path.join(copy, "box.db"));
    const env = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: copy, STARBOX_MODEL: "none", STARBOX_EMBEDDER: "none" };
    const tried = spawnSync(run, ["kb", "list", "--json", "--data", copy], { env, encoding: "utf8" });
    if (tried.status !== 0) throw failed(to, tried.stderr);
    return schema;
  } finally {
    await fsp.rm(copy, { recursive: true, force: true });
  }
}

async function switchTo(home: string, version: string): Promise<void> {
  const link = path.join(home, `current.${process.pid}`);
  await fsp.rm(link, { force: true });
  await fsp.symlink(`versions/${version}`, link);
  await fsp.rename(link, path.join(home, "current"));
}

/** Back to the version before, if there is one. The database is the caller's business: it must be returned to its kept copy first. */
export async function upgradeBack(home: string): Promise<{ readonly from: string; readonly to: string } | null> {
  if (home === "" || !fs.existsSync(path.join(home, "previous"))) return null;
  const to = (await fsp.readFile(path.join(home, "previous"), "utf8")).trim();
  const from = currentOf(home);
  if (!fs.existsSync(path.join(home, "versions", to, ".complete")))
    throw new StarboxError("not_found", `The version ${to} is not in ${home} any more.`, { zh: { message: `${home} 中已没有版本 ${to}。` } });
  await switchTo(home, to);
  await fsp.rm(path.join(home, "previous"));
  return { from, to };
}

/** Only where systemd runs a unit of ours; elsewhere people are told to restart. */
function restartService(): boolean {
  if (spawnSync("systemctl", ["is-active", "--quiet", "starbox"]).status !== 0) return false;
  return spawnSync("systemctl", ["restart", "starbox"]).status === 0;
}

const failed = (to: string, output: string): StarboxError =>
  new StarboxError("internal", `${to} cannot be used; nothing was changed. It said: ${output.trim().slice(-600)}`, {
    hint: "Go on with the present version; keep this message for a report.",
    zh: { message: `${to} 无法使用，未作任何改动。其输出：${output.trim().slice(-600)}`, hint: "请继续使用当前版本，并保留此信息用于反馈。" },
  });
