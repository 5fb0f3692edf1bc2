/** @file Brings a database to this version's schema: all numbered migrations that are missing, in one transaction. Never goes back. */
import { StarboxError } from "#base";
import type { Connection } from "./connection.ts";
import { migrations } from "./migrations/index.ts";

export type Migration = { readonly number: number; readonly name: string; readonly up: (connection: Connection) => void };

/** Numbers may be added out of order while a version is being made, so each applied one is recorded; user_version is the largest. */
export function migrate(connection: Connection, all: readonly Migration[] = migrations): void {
  const newest = Math.max(0, ...all.map((migration) => migration.number));
  const found = readSchemaVersion(connection);
  if (found > newest) {
    throw new StarboxError("data_corrupt", `The data folder has schema ${found}; this Starbox knows up to ${newest}.`, {
      hint: "It was written by a newer Starbox: run that version, or restore a backup made by this one.",
      zh: {
        message: `数据文件夹的结构版本是 ${found}，当前星匣只认识到 ${newest}。`,
        hint: "它由更新版本的星匣写入：请运行新版本，或恢复本版本的备份。",
      },
      details: { found, newest },
    });
  }
  const missing = pendingMigrations(connection, all);
  if (missing.length === 0) return;
  // All or none: a database between two versions would be nobody's.
  connection.transaction(() => {
    connection.raw.exec("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, at TEXT NOT NULL) STRICT");
    for (const migration of missing) {
      migration.up(connection);
      connection.run("INSERT INTO migrations (number, name, at) VALUES (?, ?, ?)", migration.number, migration.name, new Date().toISOString());
      connection.raw.exec(`PRAGMA user_version = ${Math.max(readSchemaVersion(connection), migration.number)}`);
    }
  });
}

function pendingMigrations(connection: Connection, all: readonly Migration[]): readonly Migration[] {
  const known = connection.get("SELECT 1 FROM sqlite_master WHERE name = 'migrations'") !== undefined;
  const applied = new Set(known ? connection.all<{ number: number }>("SELECT number FROM migrations").map((row) => row.number) : []);
  return all.filter((migration) => !applied.has(migration.number)).sort((a, b) => a.number - b.number);
}

/** The database has a schema, and this version is about to change it. */
export function hasPendingMigrations(connection: Connection): boolean {
  const found = readSchemaVersion(connection);
  return found > 0 && found <= newestSchema() && pendingMigrations(connection, migrations).length > 0;
}

export const newestSchema = (): number => Math.max(...migrations.map((migration) => migration.number));

export function readSchemaVersion(connection: Connection): number {
  return connection.get<{ user_version: number }>("PRAGMA user_version")?.user_version ?? 0;
}
