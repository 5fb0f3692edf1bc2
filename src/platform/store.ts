/** @file What `platform` needs kept. `storage` offers it; `app` hands it over. */
import type { Role } from "#contracts";

export type AuthRow = Record<string, string | number | null>;
export type AuthWhere = { readonly field: string; readonly operator: string; readonly value: unknown; readonly connector: "AND" | "OR" };
export type StoredPerson = {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  readonly createdAt: string;
};
export type StoredKey = {
  readonly id: string;
  readonly hash: string;
  readonly prefix: string;
  readonly name: string;
  readonly personId: string | null;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly expiresAt: string | null;
};

export type PeopleStore = {
  readonly auth: {
    insert(table: string, row: AuthRow): void;
    select(
      table: string,
      options?: {
        readonly where?: readonly AuthWhere[];
        readonly limit?: number;
        readonly offset?: number;
        readonly sortBy?: { readonly field: string; readonly direction: "asc" | "desc" };
      },
    ): AuthRow[];
    update(table: string, where: readonly AuthWhere[], patch: AuthRow): number;
    remove(table: string, where: readonly AuthWhere[]): number;
    count(table: string, where: readonly AuthWhere[]): number;
  };
  countAdministrators(): number;
  readPerson(id: string): StoredPerson | undefined;
  listPeople(): readonly StoredPerson[];
  createPerson(person: StoredPerson, account: { readonly id: string; readonly passwordHash: string }): void;
  updatePerson(
    id: string,
    patch: { readonly name?: string; readonly role?: StoredPerson["role"]; readonly passwordHash?: string },
    at: string,
  ): boolean;
  removePerson(id: string): boolean;
  readSetupCode(): string | null;
  writeSetupCode(hash: string | null): void;
  spendSetupCode(hash: string, create: () => void): boolean;
  readonly keys: {
    insert(key: StoredKey): void;
    list(): readonly StoredKey[];
    read(id: string): StoredKey | undefined;
    findByHash(hash: string): StoredKey | undefined;
    touch(id: string, at: string): void;
    remove(id: string): boolean;
  };
};
