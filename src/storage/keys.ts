/** @file Rows of API keys: what they may, when they were used, rotated, revoked. The keys themselves are hashes. */
import type { Connection } from "./connection.ts";

export type KeyRow = {
  readonly id: string;
  readonly hash: string;
  readonly prefix: string;
  readonly name: string;
  readonly personId: string | null;
  readonly teamId: string | null;
  readonly createdBy: string | null;
  /** null: all. */
  readonly models: readonly string[] | null;
  readonly bases: readonly string[] | null;
  readonly access: "read" | "write";
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly expiresAt: string | null;
  readonly rotatedAt: string | null;
  readonly revokedAt: string | null;
  /** Until when the key from before the last rotation still works. */
  readonly formerUntil: string | null;
};

type Stored = Omit<KeyRow, "models" | "bases"> & { readonly models: string | null; readonly bases: string | null };

const columns = `id, hash, prefix, name, person AS personId, team AS teamId, created_by AS createdBy, models, kbs AS bases, access, created_at AS createdAt,
  last_used_at AS lastUsedAt, expires_at AS expiresAt, rotated_at AS rotatedAt, revoked_at AS revokedAt,
  (SELECT max(valid_until) FROM api_key_former f WHERE f.key = api_keys.id) AS formerUntil`;
const list = (value: string | null): readonly string[] | null => (value === null ? null : (JSON.parse(value) as string[]));
const read = (row: Stored): KeyRow => ({ ...row, models: list(row.models), bases: list(row.bases) });
const text = (value: readonly string[] | null): string | null => (value === null ? null : JSON.stringify(value));

export function createKeyRepository(connection: Connection) {
  const one = (where: string, value: string): KeyRow | undefined => {
    const row = connection.get<Stored>(`SELECT ${columns} FROM api_keys WHERE ${where} = ?`, value);
    return row === undefined ? undefined : read(row);
  };
  return {
    insert(key: KeyRow): void {
      connection.run(
        `INSERT INTO api_keys (id, hash, prefix, name, person, team, created_by, models, kbs, access, created_at, last_used_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        key.id,
        key.hash,
        key.prefix,
        key.name,
        key.personId,
        key.teamId,
        key.createdBy,
        text(key.models),
        text(key.bases),
        key.access,
        key.createdAt,
        key.lastUsedAt,
        key.expiresAt,
      );
    },
    list: (): KeyRow[] => connection.all<Stored>(`SELECT ${columns} FROM api_keys ORDER BY created_at, id`).map(read),
    read: (id: string): KeyRow | undefined => one("id", id),
    /** By the present key, or by a former one that is still good at `at`. */
    findByHash(hash: string, at: string): KeyRow | undefined {
      const present = one("hash", hash);
      if (present !== undefined) return present;
      const former = connection.get<{ key: string }>("SELECT key FROM api_key_former WHERE hash = ? AND valid_until > ?", hash, at);
      return former === undefined ? undefined : one("id", former.key);
    },
    /** null: there is no such person or team. */
    ownerName: (kind: "person" | "team", id: string): string | null =>
      connection.get<{ name: string }>(kind === "person" ? "SELECT name FROM people WHERE id = ?" : "SELECT name FROM teams WHERE id = ?", id)
        ?.name ?? null,
    touch: (id: string, at: string): void => void connection.run("UPDATE api_keys SET last_used_at = ? WHERE id = ?", at, id),
    update(id: string, patch: Partial<Pick<KeyRow, "name" | "models" | "bases" | "access" | "expiresAt">>): void {
      const found = one("id", id);
      if (found === undefined) return;
      const next = { ...found, ...patch };
      connection.run(
        "UPDATE api_keys SET name = ?, models = ?, kbs = ?, access = ?, expires_at = ? WHERE id = ?",
        next.name,
        text(next.models),
        text(next.bases),
        next.access,
        next.expiresAt,
        id,
      );
    },
    /** The new key and the end of the old one, both or neither: there is no moment without a key that works. */
    rotate(id: string, next: { readonly hash: string; readonly prefix: string; readonly at: string; readonly oldUntil: string }): void {
      connection.transaction(() => {
        connection.run("DELETE FROM api_key_former WHERE key = ? AND valid_until <= ?", id, next.at);
        connection.run("UPDATE api_key_former SET valid_until = min(valid_until, ?) WHERE key = ?", next.oldUntil, id);
        if (next.oldUntil > next.at)
          connection.run(
            "INSERT INTO api_key_former (hash, key, prefix, valid_until) SELECT hash, id, prefix, ? FROM api_keys WHERE id = ?",
            next.oldUntil,
            id,
          );
        connection.run("UPDATE api_keys SET hash = ?, prefix = ?, rotated_at = ? WHERE id = ?", next.hash, next.prefix, next.at, id);
      });
    },
    /** Ends the key and every former one of it. False: there is none, or it was ended before. */
    revoke(id: string, at: string): boolean {
      return connection.transaction(() => {
        connection.run("DELETE FROM api_key_former WHERE key = ?", id);
        return connection.run("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", at, id).changes > 0;
      });
    },
  };
}
