/** @file Rows of the audit log and the personal parts beside them. What a row's hash covers is the business of `audit`. */
import type { Connection, SqlValue } from "./connection.ts";

export type AuditRow = {
  readonly seq: number;
  readonly at: string;
  readonly action: string;
  readonly outcome: string;
  readonly kind: string;
  readonly subject: string;
  /** JSON. */
  readonly details: string;
  /** Digests of the personal parts; "" where there is none. */
  readonly actor: string;
  readonly person: string;
  readonly prev: string;
  readonly hash: string;
  /** Signature of the hash by the box's audit key. */
  readonly seal: string;
};

export type AuditPart = {
  readonly seq: number;
  readonly part: "actor" | "person";
  /** Whom it is about, so that it can be found when they are erased. */
  readonly personId: string | null;
  readonly salt: string;
  /** JSON. */
  readonly data: string;
};

export type AuditFilter = {
  readonly action?: string;
  readonly personId?: string;
  readonly outcome?: string;
  readonly from?: string;
  readonly to?: string;
  readonly subject?: string;
};

const rowColumns = "seq, at, action, outcome, kind, subject, details, actor, person, prev, hash, seal";
const partColumns = "seq, part, person AS personId, salt, data";
const pageSize = 500;

export type AuditRepository = ReturnType<typeof createAuditRepository>;

export function createAuditRepository(connection: Connection) {
  return {
    /** Not durable: survives a killed process, and a power cut from the next durable commit on. */
    append(row: AuditRow, parts: readonly AuditPart[], options: { readonly durable: boolean }): void {
      connection.transaction(() => {
        connection.run(
          `INSERT INTO audit (${rowColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          row.seq,
          row.at,
          row.action,
          row.outcome,
          row.kind,
          row.subject,
          row.details,
          row.actor,
          row.person,
          row.prev,
          row.hash,
          row.seal,
        );
        for (const part of parts)
          connection.run(
            "INSERT INTO audit_personal (seq, part, person, salt, data) VALUES (?, ?, ?, ?, ?)",
            part.seq,
            part.part,
            part.personId,
            part.salt,
            part.data,
          );
      }, options);
    },
    /** True while a transaction is open: what is written may yet be undone. */
    isOpen: (): boolean => connection.raw.isTransaction,
    /** Brings everything before it to the disk for good. */
    flush: (): void =>
      void connection.run(
        "INSERT INTO settings (key, value) VALUES ('audit.flushed', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        new Date().toISOString(),
      ),
    last: (): AuditRow | undefined => connection.get<AuditRow>(`SELECT ${rowColumns} FROM audit ORDER BY seq DESC LIMIT 1`),
    read: (seq: number): AuditRow | undefined => connection.get<AuditRow>(`SELECT ${rowColumns} FROM audit WHERE seq = ?`, seq),
    count: (): number => connection.get<{ n: number }>("SELECT count(*) AS n FROM audit")?.n ?? 0,
    /** Every row after `seq`, in order, read in pages: the log may be longer than memory. */
    *from(seq: number): Generator<AuditRow> {
      for (let after = seq; ; ) {
        const page = connection.all<AuditRow>(`SELECT ${rowColumns} FROM audit WHERE seq > ? ORDER BY seq LIMIT ${pageSize}`, after);
        yield* page;
        if (page.length < pageSize) return;
        after = page.at(-1)?.seq ?? after;
      }
    },
    parts: (seq: number): readonly AuditPart[] => connection.all<AuditPart>(`SELECT ${partColumns} FROM audit_personal WHERE seq = ?`, seq),
    /** Newest first. */
    list(filter: AuditFilter, before: number | null, limit: number): readonly AuditRow[] {
      const parts: string[] = [];
      const values: SqlValue[] = [];
      for (const [sql, value] of [
        ["seq < ?", before ?? undefined],
        // "key." and everything that begins so
        ["substr(action, 1, length(?)) = ?", filter.action],
        ["outcome = ?", filter.outcome],
        ["at >= ?", filter.from],
        ["at <= ?", filter.to],
        ["subject = ?", filter.subject],
        ["seq IN (SELECT seq FROM audit_personal WHERE person = ?)", filter.personId],
      ] as const) {
        if (value === undefined) continue;
        parts.push(sql);
        values.push(...Array.from({ length: sql.split("?").length - 1 }, () => value));
      }
      const where = parts.length === 0 ? "" : ` WHERE ${parts.join(" AND ")}`;
      return connection.all<AuditRow>(`SELECT ${rowColumns} FROM audit${where} ORDER BY seq DESC LIMIT ?`, ...values, limit);
    },
    /** Every part that names the person, by id or by one of their words (e-mail, name), goes; the rows keep their digests. Returns the rows concerned. */
    erasePerson(personId: string, words: readonly string[]): readonly number[] {
      return connection.transaction(() => {
        const seqs = new Set<number>();
        for (const word of [personId, ...words]) {
          const where = "person = ? OR instr(lower(data), lower(?)) > 0";
          for (const row of connection.all<{ seq: number }>(`SELECT seq FROM audit_personal WHERE ${where}`, word, word)) seqs.add(row.seq);
          connection.run(`DELETE FROM audit_personal WHERE ${where}`, word, word);
        }
        return [...seqs].sort((a, b) => a - b);
      });
    },
    /** Rows up to and including `seq` go. */
    prune(seq: number): number {
      return connection.transaction(() => {
        connection.run(
          "INSERT INTO settings (key, value) VALUES ('audit.pruned', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
          String(seq),
        );
        connection.run("DELETE FROM audit_personal WHERE seq <= ?", seq);
        return connection.run("DELETE FROM audit WHERE seq <= ?", seq).changes;
      });
    },
    /** The last row before a moment. */
    lastBefore: (at: string): AuditRow | undefined =>
      connection.get<AuditRow>(`SELECT ${rowColumns} FROM audit WHERE at < ? ORDER BY seq DESC LIMIT 1`, at),
  };
}
