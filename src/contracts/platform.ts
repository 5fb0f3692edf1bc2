/** @file People, teams, permissions, keys, the audit trail and signing in, as every room sees them. Knows no HTTP framework and no store. */
import type { SessionInfoRow } from "./people.ts";
import type { Viewer } from "./retrieval.ts";
import type { KeysService } from "./usage.ts";

/**
 * What a person may do at most; what they may do with which documents is given by lists (see Access).
 * administrator: everything. knowledge-owner: makes bases, shares and approves where given "manage". editor: writes where given "write".
 * member: reads where given "read". api-only: as editor, but with keys only; never signs in.
 */
export type Role = "administrator" | "knowledge-owner" | "editor" | "member" | "api-only";

/** What a key may be used for. null: no limit of its own. */
export type KeyScope = {
  readonly id: string;
  readonly models: readonly string[] | null;
  /** Ids of knowledge bases. */
  readonly bases: readonly string[] | null;
  readonly write: boolean;
};

/** Who acts; the first argument of every service. The operator is the account that owns the data folder. */
export type Actor = {
  readonly personId: string | null;
  readonly name: string;
  readonly role: "operator" | Role;
  /** A team's key acts with what the team may read and write. */
  readonly teamId?: string;
  /** The key that was sent; absent: a session, or the operator. */
  readonly key?: KeyScope;
  /** An administrator who looks through this person's eyes: reads only, and every look is in the audit trail. */
  readonly viewedBy?: { readonly personId: string | null; readonly name: string };
};

export type PersonInfo = {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  readonly teamIds: readonly string[];
  readonly secondFactor: boolean;
  readonly createdAt: string;
};

/** Members of a team are members of the teams above it too. */
export type Team = {
  readonly id: string;
  readonly name: string;
  readonly parentId: string | null;
  readonly memberIds: readonly string[];
  readonly createdAt: string;
};

/** Each level includes those before it. `manage` is given on whole bases: share, approve, remove. */
export type Level = "read" | "write" | "manage";

export type Principal =
  | { readonly kind: "everyone" }
  | { readonly kind: "team"; readonly id: string }
  | { readonly kind: "person"; readonly id: string };

/**
 * Who may read and write what. A base has a list of principals with levels. A folder or file may have a list of its own, which narrows:
 * one needs the level on it and on every list above it. No entry, no access; what one may not read does not exist for one.
 * Answers hold for this moment: ask again for the next request. Administrators and the operator have `manage` everywhere.
 */
export type Access = {
  /** For retrieval: the same rules inside its SQL. */
  viewer(actor: Actor): Viewer;
  /** null: the base does not exist for the actor. The level is that of the base's own list. */
  base(actor: Actor, kbId: string): Level | null;
  /** A folder or a file, there already or about to be added. */
  path(actor: Actor, kbId: string, path: string): Level | null;
  /** null also while it waits for approval, for those who may only read. */
  document(actor: Actor, documentId: string): Level | null;
  /** The chunk's document. */
  chunk(actor: Actor, chunkId: number): Level | null;
  /** For statements that list or count documents; null: all of them. Numbers are those of `documents.access`. */
  readable(actor: Actor): ReadableLists | null;
  /** As `document`, for a viewer: whether a source may (still) be used. */
  sees(viewer: Viewer, documentId: string): boolean;
  /** Grows whenever a list, a team, a person or an approval changes: what was decided under another number must be asked again. */
  generation(): number;
};

/** Lists that let the actor read, and those that let them write (and so see what waits for approval). */
export type ReadableLists = { readonly lists: readonly number[]; readonly writable: readonly number[] };

/** One line of the audit trail. `details` never holds contents: no text of documents, questions, answers, secrets. */
export type AuditEvent = {
  /** When; absent: now, by the sink's clock. */
  readonly at?: string;
  /** null: nobody who is known, such as a failed sign-in. */
  readonly actor: Actor | null;
  /** The socket's, where a request is behind it. */
  readonly address?: string;
  /** noun.verb: session.start, person.create, team.change, access.share, document.read, base.search, answer.ask, view-as.start, … */
  readonly action: string;
  readonly subject: { readonly kind: string; readonly id: string; readonly kbId?: string } | null;
  readonly outcome: "ok" | "refused" | "failed";
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
};

/** Returns when the line is kept. Throws only when it cannot be: what was to be done is then not done. */
export type AuditSink = { record(event: AuditEvent): void };

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
  readonly sessionId?: string;
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
  /** Throws second_factor_required when the password is right and a code is needed too. */
  signIn(input: { readonly email: string; readonly password: string; readonly code?: string }, from: Credentials): Promise<Caller>;
  /** What else the sign-in page may offer. */
  signInWays(): { readonly oidc: string | null; readonly ldap: boolean };
  /** Where to send the browser, and the ticket it must bring back. */
  startOidc(redirectUri: string): Promise<{ readonly url: string; readonly ticket: string }>;
  finishOidc(currentUrl: string, ticket: string, from: Credentials): Promise<Caller>;
  /** Whom an invitation is for; null: not valid (any more). */
  readInvitation(token: string, from: Credentials): { readonly email: string; readonly role: Role } | null;
  acceptInvitation(input: { readonly token: string; readonly name: string; readonly password: string }, from: Credentials): Promise<Caller>;
  /** Returns the Set-Cookie lines that end the session in the browser. */
  signOut(from: Credentials): Promise<readonly string[]>;
  /** null: nobody we know. */
  identify(from: Credentials): Promise<Caller | null>;
  /** Aborted when the caller's person, session or key loses its right: open streams listen. */
  signalsOf(caller: Caller): readonly AbortSignal[];
  /** The caller as an administrator sees the box through somebody else's eyes. */
  viewAs(caller: Caller, personId: string, from: Credentials): Caller;

  /** One's own places; administrators name a person. */
  listSessions(caller: Caller, personId?: string): Promise<readonly SessionInfoRow[]>;
  /** No id: all but the caller's own. */
  endSession(caller: Caller, id: string | null, personId?: string): Promise<void>;
  /** A route turned somebody away before any service was asked: a line of the audit trail, once a minute for the same. */
  noteRefused(actor: Actor, action: string, address?: string): void;
  /** The present password is asked; all other sessions end. */
  changeOwnPassword(caller: Caller, input: { readonly current: string; readonly password: string }): Promise<void>;
  /** A secret for the authenticator app; in force once confirmed with a code. */
  startSecondFactor(caller: Caller): Promise<{ readonly secret: string; readonly uri: string }>;
  confirmSecondFactor(caller: Caller, code: string): Promise<readonly string[]>;
  /** With a code; an administrator takes off another person's. */
  removeSecondFactor(caller: Caller, code: string | null, personId?: string): Promise<void>;

  readonly keys: KeysService;
};
