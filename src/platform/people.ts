/** @file People, teams and invitations: who may add, change and remove whom. */
import { newId, StarboxError } from "#base";
import type { Actor, AuditSink, PeopleService, PersonInfo, Role } from "#contracts";
import { seesEverything } from "./access.ts";
import { askPresentFirst, lastAdministrator, needAdministrator, noPerson } from "./problems.ts";
import { hashSecret, randomText } from "./secrets.ts";
import type { PeopleStore, StoredPerson } from "./store.ts";

export type PeopleDeps = {
  readonly store: PeopleStore;
  readonly audit: AuditSink;
  /** Open requests of a person whose rights have changed end. */
  readonly ended: (personId: string) => void;
  readonly now: () => number;
};

/** Loaded on first use: a box that only sees keys never pays for it. */
export const hashPassword = async (password: string): Promise<string> => await (await import("better-auth/crypto")).hashPassword(password);

const dayMs = 86_400_000;

type Part = Omit<PeopleService, "readDirectory" | "listAccess" | "writeAccess" | "removeAccess">;

export function createPeople(deps: PeopleDeps): Part {
  return { ...persons(deps), ...invitations(deps), ...teams(deps) };
}

/** The row of a new person, and of the password. Stored by the caller. */
export async function preparePerson(
  input: { readonly name: string; readonly email: string; readonly password?: string; readonly role: Role },
  now: () => number,
): Promise<{ readonly person: StoredPerson; readonly account: { readonly id: string; readonly passwordHash: string } | null }> {
  const person = { id: newId("person", now()), name: input.name, email: input.email.toLowerCase(), role: input.role, createdAt: iso(now()) };
  if (input.password === undefined) return { person, account: null };
  return { person, account: { id: newId("account", now()), passwordHash: await hashPassword(input.password) } };
}

const iso = (ms: number): string => new Date(ms).toISOString();

function persons({
  store,
  audit,
  ended,
  now,
}: PeopleDeps): Pick<Part, "listPeople" | "createPerson" | "updatePerson" | "removePerson" | "resetPerson"> {
  const note = (actor: Actor, action: string, id: string, details: Readonly<Record<string, string | boolean>> = {}): void =>
    audit.record({ actor, action, subject: { kind: "person", id }, outcome: "ok", details });
  const present = (person: StoredPerson): PersonInfo => ({
    ...person,
    teamIds: store.teams.ofPerson(person.id),
    secondFactor: store.secondFactors.read(person.id)?.confirmedAt !== undefined && store.secondFactors.read(person.id)?.confirmedAt !== null,
  });
  return {
    async listPeople(actor) {
      needAdministrator(actor);
      return store.listPeople().map(present);
    },
    async createPerson(actor, input) {
      needAdministrator(actor);
      const { person, account } = await preparePerson(input, now);
      store.transaction(() => {
        store.createPerson(person, account);
        for (const id of input.teamIds ?? []) addToTeam(store, id, person.id);
        note(actor, "person.create", person.id, { role: person.role });
      });
      return present(person);
    },
    async updatePerson(actor, id, { password, ...patch }) {
      if (patch.role !== undefined || actor.personId !== id) needAdministrator(actor);
      if (actor.key !== undefined && password !== undefined && !seesEverything(actor)) needAdministrator(actor);
      // Whoever finds a session open must not become its owner; a key hands out no passwords either.
      if (password !== undefined && actor.personId === id) throw askPresentFirst();
      const found = store.readPerson(id);
      if (found === undefined) throw noPerson(id);
      const hashed = password === undefined ? {} : { passwordHash: await hashPassword(password) };
      if (!store.updatePerson(id, { ...patch, ...hashed }, iso(now()))) throw lastAdministrator();
      if (password !== undefined || (patch.role !== undefined && patch.role !== found.role)) ended(id);
      note(actor, "person.change", id, { ...(patch.role === undefined ? {} : { role: patch.role }), password: password !== undefined });
      return present(store.readPerson(id) ?? found);
    },
    async removePerson(actor, id) {
      needAdministrator(actor);
      if (store.readPerson(id) === undefined) throw noPerson(id);
      if (!store.removePerson(id)) throw lastAdministrator();
      ended(id);
      note(actor, "person.remove", id);
    },
    async resetPerson(actor, emailOrId) {
      if (actor.role !== "operator") throw onlyOnTheMachine();
      const found = store.readPerson(emailOrId) ?? store.findByEmail(emailOrId);
      if (found === undefined) throw noPerson(emailOrId);
      const password = (randomText(16).match(/.{4}/g) ?? []).join("-");
      const passwordHash = await hashPassword(password);
      store.transaction(() => {
        store.updatePerson(found.id, { passwordHash }, iso(now()));
        store.secondFactors.remove(found.id);
        note(actor, "person.reset", found.id);
      });
      ended(found.id);
      return { person: present(found), password };
    },
  };
}

function addToTeam(store: PeopleStore, teamId: string, personId: string): void {
  const team = store.teams.find(teamId);
  if (team === undefined) throw noTeam(teamId);
  store.teams.update(teamId, { memberIds: [...team.memberIds, personId] });
}

function invitations({ store, audit, now }: PeopleDeps): Pick<Part, "listInvitations" | "createInvitation" | "removeInvitation"> {
  return {
    async listInvitations(actor) {
      needAdministrator(actor);
      store.invitations.removeExpired(iso(now()));
      return store.invitations.list().map(({ hash: _hash, ...row }) => row);
    },
    async createInvitation(actor, input) {
      needAdministrator(actor);
      const email = input.email.toLowerCase();
      if (store.findByEmail(email) !== undefined) throw alreadyThere(email);
      for (const id of input.teamIds ?? []) if (store.teams.find(id) === undefined) throw noTeam(id);
      const token = randomText(40);
      const invitation = {
        id: newId("inv", now()),
        email,
        role: input.role,
        teamIds: input.teamIds ?? [],
        createdAt: iso(now()),
        expiresAt: iso(now() + (input.days ?? 7) * dayMs),
      };
      store.invitations.insert({ ...invitation, hash: hashSecret(token) });
      audit.record({
        actor,
        action: "invitation.create",
        subject: { kind: "invitation", id: invitation.id },
        outcome: "ok",
        details: { role: input.role },
      });
      return { ...invitation, token };
    },
    async removeInvitation(actor, id) {
      needAdministrator(actor);
      if (!store.invitations.remove(id)) throw noInvitation();
      audit.record({ actor, action: "invitation.remove", subject: { kind: "invitation", id }, outcome: "ok" });
    },
  };
}

/** The invited person chooses name and password; the link is spent. */
export async function acceptInvitation(
  { store, audit, now }: Pick<PeopleDeps, "store" | "audit" | "now">,
  input: { readonly token: string; readonly name: string; readonly password: string },
): Promise<StoredPerson> {
  const hash = hashSecret(input.token);
  const valid = () => {
    const row = store.invitations.findByHash(hash);
    if (row === undefined || row.expiresAt <= iso(now())) throw noInvitation();
    return row;
  };
  const { person, account } = await preparePerson({ ...valid(), name: input.name, password: input.password }, now);
  store.transaction(() => {
    const row = valid(); // somebody may have used it while the password was being hashed
    store.createPerson(person, account);
    for (const id of row.teamIds) if (store.teams.find(id) !== undefined) addToTeam(store, id, person.id);
    store.invitations.remove(row.id);
    audit.record({
      actor: { personId: person.id, name: person.name, role: person.role },
      action: "invitation.accept",
      subject: { kind: "person", id: person.id },
      outcome: "ok",
    });
  });
  return person;
}

function teams({ store, audit, now }: PeopleDeps): Pick<Part, "listTeams" | "createTeam" | "updateTeam" | "removeTeam"> {
  const note = (actor: Actor, action: string, id: string): void => audit.record({ actor, action, subject: { kind: "team", id }, outcome: "ok" });
  const need = (id: string) => {
    const team = store.teams.find(id);
    if (team === undefined) throw noTeam(id);
    return team;
  };
  return {
    async listTeams(actor) {
      needAdministrator(actor);
      return store.teams.list();
    },
    async createTeam(actor, input) {
      needAdministrator(actor);
      const parentId = input.parentId ?? null;
      if (parentId !== null) need(parentId);
      const id = newId("team", now());
      store.teams.insert({ id, name: input.name, parentId, createdAt: iso(now()) });
      note(actor, "team.create", id);
      return need(id);
    },
    async updateTeam(actor, id, patch) {
      needAdministrator(actor);
      need(id);
      if (patch.parentId !== undefined && patch.parentId !== null) need(patch.parentId);
      for (const person of patch.memberIds ?? []) if (store.readPerson(person) === undefined) throw noPerson(person);
      store.teams.update(id, patch);
      note(actor, "team.change", id);
      return need(id);
    },
    async removeTeam(actor, id) {
      needAdministrator(actor);
      if (!store.teams.remove(id)) throw noTeam(id);
      note(actor, "team.remove", id);
    },
  };
}

const noTeam = (id: string): StarboxError =>
  new StarboxError("not_found", `No team "${id}".`, {
    hint: "GET /api/teams lists them.",
    zh: { message: `没有团队“${id}”。`, hint: "GET /api/teams 可列出所有团队。" },
  });

const noInvitation = (): StarboxError =>
  new StarboxError("not_found", "This invitation is not valid (any more).", {
    hint: "It works once and for some days: ask the administrator for a new link.",
    zh: { message: "邀请无效或已失效。", hint: "邀请链接只能使用一次且有期限，请向管理员索取新的链接。" },
  });

const alreadyThere = (email: string): StarboxError =>
  new StarboxError("conflict", `A person with the e-mail ${email} is already there.`, {
    hint: "Use another e-mail, or set a new password for that person.",
    zh: { message: `邮箱 ${email} 已被使用。`, hint: "请换一个邮箱，或为此人设置新密码。" },
  });

const onlyOnTheMachine = (): StarboxError =>
  new StarboxError("forbidden", "A reset is done on the machine itself.", {
    hint: "There: ./starbox people reset EMAIL. In the console an administrator sets a new password.",
    zh: { message: "重置只能在本机上进行。", hint: "在本机运行：./starbox people reset 邮箱。管理员也可以在网页上设置新密码。" },
  });
