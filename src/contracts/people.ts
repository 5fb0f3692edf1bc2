/** @file Looking after people: who they are, their teams, what is shared with whom, invitations, sessions, second factors. */
import type { Actor, Level, PersonInfo, Principal, Role, Team } from "./platform.ts";

/** For whoever shares: names to choose from. */
export type Directory = {
  readonly people: readonly { readonly id: string; readonly name: string; readonly email: string; readonly role: Role }[];
  readonly teams: readonly { readonly id: string; readonly name: string; readonly parentId: string | null; readonly members: number }[];
};

export type AccessEntry = { readonly principal: Principal; readonly level: Level };

/** The list of a base (path ""), a folder or a file. */
export type AccessList = {
  readonly path: string;
  readonly entries: readonly (AccessEntry & { /** Of the person or team; "" for everyone. */ readonly name: string })[];
};

export type Invitation = {
  readonly id: string;
  readonly email: string;
  readonly role: Role;
  readonly teamIds: readonly string[];
  readonly createdAt: string;
  readonly expiresAt: string;
};

/** A place where somebody is signed in. */
export type SessionInfoRow = {
  readonly id: string;
  readonly createdAt: string;
  readonly lastSeenAt: string;
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly current: boolean;
};

type NewPerson = {
  readonly name: string;
  readonly email: string;
  readonly password?: string;
  readonly role: Role;
  readonly teamIds?: readonly string[];
};

export type PeopleService = {
  listPeople(actor: Actor): Promise<readonly PersonInfo[]>;
  /** Without a password the person signs in elsewhere (OIDC, LDAP), or uses keys only. */
  createPerson(actor: Actor, input: NewPerson): Promise<PersonInfo>;
  /** A new password ends the person's sessions. Anyone may change their own name; their own password is changed with the present one (`Platform.changeOwnPassword`). */
  updatePerson(actor: Actor, id: string, patch: { readonly name?: string; readonly role?: Role; readonly password?: string }): Promise<PersonInfo>;
  removePerson(actor: Actor, id: string): Promise<void>;
  /** From the machine itself: a new password, no second factor, signed out everywhere. By e-mail or id. */
  resetPerson(actor: Actor, emailOrId: string): Promise<{ readonly person: PersonInfo; readonly password: string }>;

  listInvitations(actor: Actor): Promise<readonly Invitation[]>;
  /** `token` is shown this once; the link is made of it. */
  createInvitation(
    actor: Actor,
    input: { readonly email: string; readonly role: Role; readonly teamIds?: readonly string[]; readonly days?: number },
  ): Promise<Invitation & { readonly token: string }>;
  removeInvitation(actor: Actor, id: string): Promise<void>;

  listTeams(actor: Actor): Promise<readonly Team[]>;
  createTeam(actor: Actor, input: { readonly name: string; readonly parentId?: string | null }): Promise<Team>;
  updateTeam(
    actor: Actor,
    id: string,
    patch: { readonly name?: string; readonly parentId?: string | null; readonly memberIds?: readonly string[] },
  ): Promise<Team>;
  /** With the teams below it; people stay. */
  removeTeam(actor: Actor, id: string): Promise<void>;

  readDirectory(actor: Actor): Promise<Directory>;
  /** Every list of a base, the base's own first. */
  listAccess(actor: Actor, kbId: string): Promise<readonly AccessList[]>;
  writeAccess(actor: Actor, kbId: string, path: string, entries: readonly AccessEntry[]): Promise<AccessList>;
  /** The folder or file inherits again. */
  removeAccess(actor: Actor, kbId: string, path: string): Promise<void>;
};
