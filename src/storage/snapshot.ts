/** @file A consistent copy of a database that is being served, and what a database file holds. */
import { backup, DatabaseSync } from "node:sqlite";
import { openConnection } from "./connection.ts";
import { readSchemaVersion } from "./migrate.ts";

/**
 * Copied in one read transaction on a connection of its own: writers go on (WAL), and the copy is of one moment.
 * One step, because a copy in several begins again whenever somebody writes.
 */
export async function snapshotDatabase(file: string, target: string): Promise<void> {
  const source = new DatabaseSync(file, { readOnly: true, timeout: 60_000 });
  try {
    await backup(source, target, { rate: 2 ** 31 - 1 });
  } finally {
    source.close();
  }
  // Complete in itself: no log beside it is needed to read it.
  const copy = new DatabaseSync(target);
  copy.exec("PRAGMA journal_mode = DELETE");
  copy.close();
}

export type DatabaseFacts = {
  readonly schema: number;
  /** Rows of every ordinary table; those of full-text indexes are part of the database's own check. */
  readonly rows: Readonly<Record<string, number>>;
  /** SHA-256 of every original a row names. */
  readonly blobs: readonly string[];
};

export function describeDatabase(file: string): DatabaseFacts {
  const connection = openConnection(file, { readOnly: true });
  try {
    const names = connection
      .all<{ name: string; sql: string }>("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
      .filter(({ name, sql }) => !/^CREATE VIRTUAL/i.test(sql) && !/^chunk_words/.test(name))
      .map(({ name }) => name);
    const rows = Object.fromEntries(
      names.map((name) => [name, connection.get<{ n: number }>(`SELECT count(*) AS n FROM "${name.replaceAll('"', '""')}"`)?.n ?? 0]),
    );
    const blobs = names.includes("versions") ? connection.all<{ sha256: string }>("SELECT DISTINCT sha256 FROM versions ORDER BY sha256") : [];
    return { schema: readSchemaVersion(connection), rows, blobs: blobs.map((row) => row.sha256) };
  } finally {
    connection.close();
  }
}
