/** @file Repository of people, their sessions and keys. Sign-in's rules are `platform`'s. */
import { StarboxError } from "#base";
import type { Role } from "#contracts";
import type { Connection, SqlValue } from "./connection.ts";
import { createKeyRepository } from "./keys.ts";
import { createInvitationStore, createSecondFactorStore, createTeamStore } from "./teams.ts";

/** The tables better-auth keeps; their rows go through `auth` below. */
const authTables = {
  people: ["id", "name", "email", "emailVerified", "image", "role", "createdAt", "updatedAt"],
  sessions: ["id", "expiresAt", "token", "createdAt", "updatedAt", "ipAddress", "userAgent", "userId"],
  accounts: [
    "id",
    "accountId",
    "providerId",
    "userId",
    "accessToken",
    "refreshToken",
    "idToken",
    "accessTokenExpiresAt",
    "refreshTokenExpiresAt",
    "scope",
    "password",
    "createdAt",
    "updatedAt",
  ],
  verifications: ["id", "identifier", "value", "expiresAt", "createdAt", "updatedAt"],
} as const satisfies Record<string, readonly string[]>;

export type AuthRow = Record<string, string | number | null>;
export type AuthWhere = { readonly field: string; readonly operator: string; readonly value: unknown; readonly connector: "AND" | "OR" };
export type AuthSelect = {
  readonly where?: readonly AuthWhere[];
  readonly limit?: number;
  readonly offset?: number;
  readonly sortBy?: { readonly field: string; readonly direction: "asc" | "desc" };
};

export type PersonRow = {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  readonly createdAt: string;
};
export type SessionRow = {
  readonly id: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt: string;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
};

export type PeopleStore = ReturnType<typeof createPeopleStore>;

export function createPeopleStore(connection: Connection) {
  return {
    auth: authRows(connection),
    ...persons(connection),
    ...setup(connection),
    keys: createKeyRepository(connection),
    sessions: sessions(connection),
    teams: createTeamStore(connection),
    invitations: createInvitationStore(connection),
    secondFactors: createSecondFactorStore(connection),
    transaction: <T>(work: () => T): T => connection.transaction(work),
  };
}

/** Names come from our own table above, never from a request; anything else is a mistake in the program. */
function columnsOf(table: string): readonly string[] {
  const columns = Object.hasOwn(authTables, table) ? authTables[table as keyof typeof authTables] : undefined;
  if (columns === undefined) throw new Error(`No such table of people: ${table}`);
  return columns;
}

function column(table: string, name: string): string {
  if (!columnsOf(table).includes(name)) throw new Error(`No column ${name} in ${table}`);
  return `"${name}"`;
}

const comparisons: Readonly<Record<string, string>> = { eq: "=", ne: "<>", lt: "<", lte: "<=", gt: ">", gte: ">=" };

function condition(table: string, where: readonly AuthWhere[]): { readonly sql: string; readonly values: SqlValue[] } {
  const values: SqlValue[] = [];
  const one = (item: AuthWhere): string => {
    const name = column(table, item.field);
    if (item.operator === "in" || item.operator === "not_in") {
      const list = (Array.isArray(item.value) ? item.value : [item.value]) as SqlValue[];
      values.push(...list);
      return `${name} ${item.operator === "in" ? "IN" : "NOT IN"} (${list.map(() => "?").join(", ")})`;
    }
    const operator = comparisons[item.operator];
    if (operator === undefined) throw new Error(`Operator ${item.operator} is not offered`);
    if (item.value === null) return `${name} IS ${item.operator === "ne" ? "NOT " : ""}NULL`;
    values.push(item.value as SqlValue);
    return `${name} ${operator} ?`;
  };
  const and = where.filter((item) => item.connector !== "OR").map(one);
  const or = where.filter((item) => item.connector === "OR").map(one);
  const parts = [...and, ...(or.length > 0 ? [`(${or.join(" OR ")})`] : [])];
  return { sql: parts.length === 0 ? "" : ` WHERE ${parts.join(" AND ")}`, values };
}

/** Plain rows for better-auth's adapter: one statement a call, so nothing of it stays open across an await. */
function authRows(connection: Connection) {
  return {
    insert(table: string, row: AuthRow): void {
      const names = Object.keys(row);
      connection.run(
        `INSERT INTO ${table} (${names.map((name) => column(table, name)).join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
        ...Object.values(row),
      );
    },
    select(table: string, options: AuthSelect = {}): AuthRow[] {
      const found = condition(table, options.where ?? []);
      const order =
        options.sortBy === undefined
          ? ""
          : ` ORDER BY ${column(table, options.sortBy.field)} ${options.sortBy.direction === "desc" ? "DESC" : "ASC"}`;
      return connection.all<AuthRow>(
        `SELECT * FROM ${columnsOf(table) && table}${found.sql}${order} LIMIT ? OFFSET ?`,
        ...found.values,
        options.limit ?? -1,
        options.offset ?? 0,
      );
    },
    update(table: string, where: readonly AuthWhere[], patch: AuthRow): number {
      const names = Object.keys(patch);
      if (names.length === 0) return 0;
      const found = condition(table, where);
      return connection.run(
        `UPDATE ${table} SET ${names.map((name) => `${column(table, name)} = ?`).join(", ")}${found.sql}`,
        ...Object.values(patch),
        ...found.values,
      ).changes;
    },
    remove(table: string, where: readonly AuthWhere[]): number {
      if (where.length === 0) throw new Error(`Refused to empty ${table}`);
      const found = condition(table, where);
      return connection.run(`DELETE FROM ${columnsOf(table) && table}${found.sql}`, ...found.values).changes;
    },
    count(table: string, where: readonly AuthWhere[]): number {
      const found = condition(table, where);
      return connection.get<{ n: number }>(`SELECT count(*) AS n FROM ${columnsOf(table) && table}${found.sql}`, ...found.values)?.n ?? 0;
    },
  };
}

const personColumns = "id, name, email, role, createdAt";

function persons(connection: Connection) {
  const readPerson = (id: string): PersonRow | undefined => connection.get<PersonRow>(`SELECT ${personColumns} FROM people WHERE id = ?`, id);
  const countAdministrators = (): number => connection.get<{ n: number }>("SELECT count(*) AS n FROM people WHERE role = 'administrator'")?.n ?? 0;
  return {
    countAdministrators,
    readPerson,
    findByEmail: (email: string): PersonRow | undefined =>
      connection.get<PersonRow>(`SELECT ${personColumns} FROM people WHERE email = ?`, email.toLowerCase()),
    passwordHash: (id: string): string | null =>
      connection.get<{ password: string | null }>("SELECT password FROM accounts WHERE userId = ? AND providerId = 'credential'", id)?.password ??
      null,
    /** Whom an outside directory's subject is; undefined: nobody yet. */
    findByIdentity: (provider: string, subject: string): PersonRow | undefined =>
      connection.get<PersonRow>(
        `SELECT ${personColumns} FROM people WHERE id = (SELECT userId FROM accounts WHERE providerId = ? AND accountId = ?)`,
        provider,
        subject,
      ),
    addIdentity: (id: string, person: string, provider: string, subject: string, at: string): void =>
      void connection.run(
        "INSERT INTO accounts (id, accountId, providerId, userId, createdAt, updatedAt) VALUES (?, ?, ?, ?, ?, ?)",
        id,
        subject,
        provider,
        person,
        at,
        at,
      ),
    listPeople: (): PersonRow[] => connection.all<PersonRow>(`SELECT ${personColumns} FROM people ORDER BY createdAt, id`),
    /** Person and password in one transaction. null: signs in elsewhere, or never. */
    createPerson(person: PersonRow, account: { readonly id: string; readonly passwordHash: string } | null): void {
      connection.transaction(() => {
        if (connection.get("SELECT 1 FROM people WHERE email = ?", person.email) !== undefined) {
          throw new StarboxError("conflict", `A person with the e-mail ${person.email} is already there.`, {
            hint: "Use another e-mail, or set a new password for that person.",
            zh: { message: `邮箱 ${person.email} 已被使用。`, hint: "请换一个邮箱，或为此人设置新密码。" },
          });
        }
        connection.run(
          "INSERT INTO people (id, name, email, emailVerified, image, role, createdAt, updatedAt) VALUES (?, ?, ?, 1, NULL, ?, ?, ?)",
          person.id,
          person.name,
          person.email,
          person.role,
          person.createdAt,
          person.createdAt,
        );
        if (account === null) return;
        connection.run(
          "INSERT INTO accounts (id, accountId, providerId, userId, password, createdAt, updatedAt) VALUES (?, ?, 'credential', ?, ?, ?, ?)",
          account.id,
          person.id,
          person.id,
          account.passwordHash,
          person.createdAt,
          person.createdAt,
        );
      });
    },
    /** A new password ends every session of that person. False: no such person, or nobody would be left to administer. */
    updatePerson(
      id: string,
      patch: { readonly name?: string; readonly role?: PersonRow["role"]; readonly passwordHash?: string },
      at: string,
      /** This session goes on when a new password ends the others. */
      keepSession = "",
    ): boolean {
      return connection.transaction(() => {
        const found = readPerson(id);
        if (found === undefined) return false;
        if (patch.role !== undefined && patch.role !== "administrator" && found.role === "administrator" && countAdministrators() === 1) return false;
        connection.run(
          "UPDATE people SET name = ?, role = ?, updatedAt = ? WHERE id = ?",
          patch.name ?? found.name,
          patch.role ?? found.role,
          at,
          id,
        );
        if (patch.passwordHash !== undefined) {
          connection.run("DELETE FROM accounts WHERE userId = ? AND providerId = 'credential'", id);
          connection.run(
            "INSERT INTO accounts (id, accountId, providerId, userId, password, createdAt, updatedAt) VALUES (?, ?, 'credential', ?, ?, ?, ?)",
            `account-${id}`,
            id,
            id,
            patch.passwordHash,
            at,
            at,
          );
        }
        if (patch.passwordHash !== undefined) connection.run("DELETE FROM sessions WHERE userId = ? AND id <> ?", id, keepSession);
        return true;
      });
    },
    removePerson(id: string): boolean {
      return connection.transaction(() => {
        const found = readPerson(id);
        if (found === undefined || (found.role === "administrator" && countAdministrators() === 1)) return false;
        connection.run("DELETE FROM people WHERE id = ?", id);
        return true;
      });
    },
  };
}

function setup(connection: Connection) {
  const readSetupCode = (): string | null => connection.get<{ hash: string }>("SELECT hash FROM setup_code")?.hash ?? null;
  return {
    readSetupCode,
    writeSetupCode(hash: string | null): void {
      if (hash === null) connection.run("DELETE FROM setup_code");
      else connection.run("INSERT INTO setup_code (one, hash) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET hash = excluded.hash", hash);
    },
    /** Runs `create` and spends the code, both or neither; false when the code was spent meanwhile. */
    spendSetupCode(hash: string, create: () => void): boolean {
      return connection.transaction(() => {
        if (readSetupCode() !== hash) return false;
        create();
        connection.run("DELETE FROM setup_code");
        return true;
      });
    },
  };
}

function sessions(connection: Connection) {
  return {
    list: (person: string): SessionRow[] =>
      connection.all<SessionRow>(
        "SELECT id, createdAt, updatedAt, expiresAt, ipAddress, userAgent FROM sessions WHERE userId = ? ORDER BY updatedAt DESC",
        person,
      ),
    touch: (id: string, at: string): void => void connection.run("UPDATE sessions SET updatedAt = ? WHERE id = ?", at, id),
    remove: (person: string, id: string): boolean => connection.run("DELETE FROM sessions WHERE userId = ? AND id = ?", person, id).changes > 0,
  };
}
