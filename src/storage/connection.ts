/** @file One SQLite connection: pragmas, cached statements, transactions, errors by name. Knows no table. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { StarboxError } from "#base";
import { createFlush } from "./flush.ts";

export type SqlValue = SQLInputValue;

/** What the repositories use. Statements are prepared once and kept by their text. */
export type Connection = {
  readonly raw: DatabaseSync;
  readonly readOnly: boolean;
  all<T>(sql: string, ...values: SqlValue[]): T[];
  get<T>(sql: string, ...values: SqlValue[]): T | undefined;
  /** Rows changed and the last row id. */
  run(sql: string, ...values: SqlValue[]): { readonly changes: number; readonly id: number };
  /**
   * Nested calls become savepoints. `work` is synchronous, so nothing else can get in between.
   * Not durable: survives a killed process at once, and a power cut from the next durable commit on. For what can be made again.
   */
  transaction<T>(work: () => T, options?: { readonly durable?: boolean }): T;
  /** Resolves when everything committed until now is on the disk for good. Waits off the main thread; many wait together. */
  flushed(): Promise<void>;
  close(): void;
};

export const busyTimeoutMs = 5000;
const cacheKiB = 16 * 1024;
/** As much as SQLite allows: a search reads rows from all over the file. Address space only; the system takes the pages back as it likes. */
const readMapBytes = 2 ** 31 - 65_536;

export function openConnection(file: string, options: { readonly readOnly?: boolean } = {}): Connection {
  const readOnly = options.readOnly ?? false;
  let raw: DatabaseSync;
  try {
    raw = new DatabaseSync(file, { readOnly, timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
    if (!readOnly) raw.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;");
    raw.exec(`PRAGMA cache_size = -${cacheKiB}; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = ${readOnly ? readMapBytes : 0};`);
  } catch (error) {
    throw nameSqliteError(error, file);
  }
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = raw.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  const guard = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw nameSqliteError(error, file);
    }
  };
  let depth = 0;
  return {
    raw,
    readOnly,
    all: <T>(sql: string, ...values: SqlValue[]) => guard(() => prepare(sql).all(...values) as T[]),
    get: <T>(sql: string, ...values: SqlValue[]) => guard(() => prepare(sql).get(...values) as T | undefined),
    run: (sql, ...values) =>
      guard(() => {
        const result = prepare(sql).run(...values);
        return { changes: Number(result.changes), id: Number(result.lastInsertRowid) };
      }),
    transaction(work, options) {
      const name = `s${depth}`;
      const relaxed = depth === 0 && options?.durable === false;
      // Cannot change inside a transaction, so it is set around it.
      if (relaxed) raw.exec("PRAGMA synchronous = NORMAL");
      try {
        guard(() => prepare(depth === 0 ? "BEGIN IMMEDIATE" : `SAVEPOINT ${name}`).run());
        depth++;
        try {
          const result = work();
          depth--;
          guard(() => prepare(depth === 0 ? "COMMIT" : `RELEASE ${name}`).run());
          return result;
        } catch (error) {
          depth = Number(name.slice(1));
          // A full disk may have rolled back already; then there is nothing left to undo.
          if (raw.isTransaction) raw.exec(depth === 0 ? "ROLLBACK" : `ROLLBACK TO ${name}; RELEASE ${name}`);
          throw nameSqliteError(error, file);
        }
      } finally {
        if (relaxed) raw.exec("PRAGMA synchronous = FULL");
      }
    },
    flushed: createFlush(`${file}-wal`),
    close() {
      statements.clear();
      if (raw.isOpen) raw.close();
    },
  };
}

/** SQLite's and the file system's faults become ours; everything else passes unchanged. */
export function nameSqliteError(error: unknown, file: string): unknown {
  if (typeof error !== "object" || error === null || StarboxError.is(error)) return error;
  const { errcode, code } = error as { errcode?: number; code?: string };
  const primary = errcode === undefined ? undefined : errcode & 0xff;
  if (primary === 13 || code === "ENOSPC" || code === "EDQUOT") return diskFull(error);
  if (primary === 11 || primary === 26) {
    return new StarboxError("data_corrupt", `The database ${file} is damaged: ${(error as Error).message}.`, {
      hint: "Restore the newest backup (starbox restore FILE), or run starbox doctor to see what is readable.",
      zh: { message: `数据库 ${file} 已损坏。`, hint: "请用 starbox restore 恢复最近的备份，或运行 starbox doctor 查看详情。" },
      cause: error,
    });
  }
  if (primary === 5 || primary === 6) {
    return new StarboxError("busy", "The database is held by another process.", {
      hint: "Try again in a moment; starbox doctor names the holder.",
      zh: { message: "数据库正被另一个进程占用。", hint: "请稍后重试；starbox doctor 会指出占用者。" },
      retryAfterSeconds: 1,
      cause: error,
    });
  }
  return error;
}

export function diskFull(cause?: unknown): StarboxError {
  return new StarboxError("disk_full", "The disk that holds the data folder is full; nothing was changed.", {
    hint: "Free some space (or move the data folder with --data), then retry: work goes on where it stopped.",
    zh: { message: "数据文件夹所在的磁盘已满，未作任何改动。", hint: "请腾出空间（或用 --data 换到别的磁盘）后重试，任务会从中断处继续。" },
    cause,
  });
}
