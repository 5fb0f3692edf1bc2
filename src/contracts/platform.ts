/** @file People, keys and signing in, as `server` and `app` see them. Knows no HTTP framework and no store. */
import type { Actor } from "./services.ts";

export type PersonInfo = {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: "administrator" | "member";
  readonly createdAt: string;
};

/** What may be shown of a key again and again; the key itself is shown once. */
export type ApiKeyInfo = {
  readonly id: string;
  readonly name: string;
  /** The first characters, to tell keys apart. */
  readonly prefix: string;
  /** null: the box's own key, made by the operator. */
  readonly personId: string | null;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly expiresAt: string | null;
};

/** What a request brings. `address` is the socket's, never a header's; `loopback` is false when a proxy stands in between. */
export type Credentials = {
  readonly authorization: string | null;
  readonly cookie: string | null;
  readonly address: string;
  readonly loopback: boolean;
  readonly userAgent: string | null;
};

export type Caller = {
  readonly actor: Actor;
  readonly email: string | null;
  readonly via: "session" | "key" | "operator";
  /** Set-Cookie lines that keep a session fresh. */
  readonly setCookies: readonly string[];
};

export type Platform = {
  /** True until the first administrator exists. */
  setupRequired(): boolean;
  /** The one-time code to show in the terminal; null once the box is set up. */
  setupCode(): string | null;
  setUp(
    input: { readonly code: string; readonly name: string; readonly email: string; readonly password: string },
    from: Credentials,
  ): Promise<Caller>;
  signIn(input: { readonly email: string; readonly password: string }, from: Credentials): Promise<Caller>;
  /** Returns the Set-Cookie lines that end the session in the browser. */
  signOut(from: Credentials): Promise<readonly string[]>;
  /** null: nobody we know. */
  identify(from: Credentials): Promise<Caller | null>;

  listPeople(actor: Actor): Promise<readonly PersonInfo[]>;
  createPerson(
    actor: Actor,
    input: { readonly name: string; readonly email: string; readonly password: string; readonly role: PersonInfo["role"] },
  ): Promise<PersonInfo>;
  /** A new password ends the person's sessions. A member may change their own name and password. */
  updatePerson(
    actor: Actor,
    id: string,
    patch: { readonly name?: string; readonly role?: PersonInfo["role"]; readonly password?: string },
  ): Promise<PersonInfo>;
  removePerson(actor: Actor, id: string): Promise<void>;

  /** A member sees their own keys, an administrator all. */
  listKeys(actor: Actor): Promise<readonly ApiKeyInfo[]>;
  createKey(actor: Actor, input: { readonly name: string; readonly expiresAt?: string }): Promise<ApiKeyInfo & { readonly key: string }>;
  removeKey(actor: Actor, id: string): Promise<void>;
};
