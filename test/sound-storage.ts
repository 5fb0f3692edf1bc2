/** @file What must hold in every data folder whatever happened to it: nothing doubled, nothing half, counts as told, blobs and rows in step. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { Storage } from "#storage";

/** Every chunk in the word index exactly once, every count as told, every blob named by a row. Call when no job is left. */
export function expectSound(storage: Storage): void {
  expect(storage.checkIntegrity()).toBe("ok");
  storage.connection.raw.exec("INSERT INTO chunk_words (chunk_words) VALUES ('integrity-check')");
  const one = (sql: string): number => storage.connection.get<{ n: number }>(sql)?.n ?? -1;
  const none = (what: string, sql: string): void => expect(one(`SELECT count(*) AS n FROM ${sql}`), what).toBe(0);
  none("chunks twice", "(SELECT 1 FROM chunks GROUP BY version, ordinal HAVING count(*) > 1)");
  none("chunks without words", "chunks WHERE id NOT IN (SELECT chunk FROM chunk_terms)");
  none("words without chunk", "chunk_terms WHERE chunk NOT IN (SELECT id FROM chunks)");
  none("vectors without chunk", "chunk_vectors WHERE chunk NOT IN (SELECT id FROM chunks)");
  none("counts of chunks", "versions v WHERE v.chunks <> (SELECT count(*) FROM chunks WHERE version = v.num)");
  none("counts of vectors", "versions v WHERE v.embedded <> (SELECT count(*) FROM chunks WHERE version = v.num AND embedded = 1)");
  const used = new Set(storage.connection.all<{ sha256: string }>("SELECT sha256 FROM versions").map((row) => row.sha256));
  const folder = path.join(storage.dataDir, "blobs");
  const blobs = readdirSync(folder).flatMap((name) => readdirSync(path.join(folder, name)));
  const blobsWithoutRow = blobs.filter((sha256) => !used.has(sha256));
  expect(blobsWithoutRow, "blobs without row").toEqual([]);
  const rowsWithoutBlob = [...used].filter((sha256) => !blobs.includes(sha256));
  expect(rowsWithoutBlob, "rows without blob").toEqual([]);
}
