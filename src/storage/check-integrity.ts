/** @file SQLite's own check of a database, of whatever schema. */
import type { Connection } from "./connection.ts";

/** "ok", or what SQLite found wrong. */
export function checkIntegrity(connection: Connection): string {
  const rows = connection.all<{ integrity_check: string }>("PRAGMA integrity_check(20)").map((row) => row.integrity_check);
  const broken = connection.all("PRAGMA foreign_key_check").length;
  if (broken > 0) rows.push(`${broken} rows point at rows that are gone`);
  return rows.length === 1 ? (rows[0] ?? "ok") : rows.filter((row) => row !== "ok").join("; ");
}
