/** @file Who is asking: sessions, keys, the operator. Every request gets its Actor here. */
import type { Settings } from "#base";
import type { AuditSink, Caller, Credentials, KeyScope, Platform } from "#contracts";
import { seesEverything } from "./access.ts";
import { createAttempts } from "./attempts.ts";
import { type Auth, loadAuth } from "./auth.ts";
import { createKeysService, findKey } from "./keys.ts";
import { createLdap, type LdapSettings } from "./ldap.ts";
import { createOidc, type OidcSettings } from "./oidc.ts";
import { createOwnPassword } from "./own-password.ts";
import { mayNotView, needAdministrator, needSession, noPerson, noSession, wrongCode } from "./problems.ts";
import { createRefusals } from "./refusals.ts";
import type { Revocations } from "./revocations.ts";
import { createSecondFactor, type SecondFactor } from "./second-factor.ts";
import { loadSecretFile, sameSecret } from "./secrets.ts";
import { createSignIn } from "./sign-in.ts";
import type { PeopleStore, StoredKey } from "./store.ts";

export type PlatformOptions = {
  readonly store: PeopleStore;
  readonly settings: Pick<Settings, "data" | "trustedOrigins" | "newPeople"> & OidcSettings & LdapSettings;
  readonly audit: AuditSink;
  readonly revocations: Revocations;
  readonly now?: () => number;
};

type FindCaller = (personId: string, via: Caller["via"], setCookies: readonly string[], sessionId?: string) => Caller | null;

/** Only for the process that holds the data folder's lock: it makes the operator's token anew. */
export function createPlatform({ store, settings, audit, revocations, now = Date.now }: PlatformOptions): Platform {
  // A new token each start: one that leaked with an old backup is worth nothing.
  const operatorToken = loadSecretFile(settings.data, "operator.token", true);
  const secret = (): string => loadSecretFile(settings.data, "session.secret", false);
  let auth: Promise<Auth> | undefined;
  const loadedAuth = (): Promise<Auth> => {
    auth ??= loadAuth(store, secret(), settings.trustedOrigins);
    return auth;
  };
  const secondFactor = createSecondFactor(store, secret, now);
  const findCaller: FindCaller = (personId, via, setCookies, sessionId) => {
    const person = store.readPerson(personId);
    if (person === undefined || (via === "session" && person.role === "api-only")) return null;
    const actor = { personId, name: person.name, role: person.role };
    return { actor, email: person.email, via, setCookies, ...(sessionId === undefined ? {} : { sessionId }) };
  };
  const signIn = createSignIn({
    store,
    loadedAuth,
    secondFactor,
    oidc: createOidc(settings, now),
    ldap: createLdap(settings),
    newPeople: settings.newPeople,
    audit,
    now,
  });
  return {
    setupRequired: () => store.countAdministrators() === 0,
    ...signIn,
    async signOut(from) {
      const session = from.cookie === null ? null : await (await loadedAuth()).readSession(from);
      const lines = await (await loadedAuth()).signOut(from);
      if (session !== null) revocations.endSession(session.sessionId);
      return lines;
    },
    async identify(from) {
      const bearer = /^Bearer +(\S+) *$/i.exec(from.authorization ?? "")?.[1];
      if (bearer !== undefined) return identifyBearer(bearer, from, operatorToken, (key) => findKey(store.keys, key, now()), findCaller);
      if (from.authorization !== null || from.cookie === null || !from.cookie.includes("starbox.session_token=")) return null;
      const session = await (await loadedAuth()).readSession(from);
      if (session === null) return null;
      // As with keys: once a minute is enough to see where somebody is signed in.
      if (now() - session.seenAt > touchEveryMs) store.sessions.touch(session.sessionId, new Date(now()).toISOString());
      return findCaller(session.userId, "session", session.setCookies, session.sessionId);
    },
    signalsOf: (caller) => revocations.signalsOf(caller),
    ...createViewing(store, audit, now),
    ...createSessions(store, audit, revocations),
    ...createFactors(store, secondFactor, audit, now),
    ...createOwnPassword(store, audit, revocations, now),
    noteRefused: createRefusals(audit, now).note,
    keys: createKeysService(store.keys, now, (id) => revocations.endKey(id)),
  };
}

function identifyBearer(
  bearer: string,
  from: Credentials,
  operatorToken: string,
  find: (key: string) => StoredKey | null,
  findCaller: FindCaller,
): Caller | null {
  if (!bearer.startsWith("sb-")) {
    if (!from.loopback || !sameSecret(bearer, operatorToken)) return null;
    return { actor: { personId: null, name: "operator", role: "operator" }, email: null, via: "operator", setCookies: [] };
  }
  const key = find(bearer);
  if (key === null) return null;
  const scope: KeyScope = { id: key.id, models: key.models, bases: key.bases, write: key.access === "write" };
  if (key.personId !== null) {
    const caller = findCaller(key.personId, "key", []);
    return caller === null ? null : { ...caller, actor: { ...caller.actor, key: scope } };
  }
  // A team's key is nobody's: it does what the team may. One without an owner is the box's own.
  const owner = key.teamId === null ? { role: "administrator" as const } : { role: "api-only" as const, teamId: key.teamId };
  return { actor: { personId: null, name: `key ${key.name}`, ...owner, key: scope }, email: null, via: "key", setCookies: [] };
}

const touchEveryMs = 60_000;
const viewNoteMs = 60_000;

/** One line a minute says that somebody looks; what they read is in lines of its own, under both names. */
function createViewing(store: PeopleStore, audit: AuditSink, now: () => number): Pick<Platform, "viewAs"> {
  const noted = new Map<string, number>();
  return {
    viewAs(caller, personId, from) {
      if (!seesEverything(caller.actor) || caller.actor.viewedBy !== undefined) throw mayNotView();
      const person = store.readPerson(personId);
      if (person === undefined) throw noPerson(personId);
      const key = `${caller.actor.personId ?? caller.actor.name} ${personId}`;
      if ((noted.get(key) ?? Number.NEGATIVE_INFINITY) <= now() - viewNoteMs) {
        audit.record({
          actor: caller.actor,
          address: from.address,
          action: "view-as.look",
          subject: { kind: "person", id: personId },
          outcome: "ok",
        });
        noted.set(key, now());
        for (const oldest of noted.keys()) if (noted.size > 1000) noted.delete(oldest);
      }
      const { personId: own, name, key: scope } = caller.actor;
      const actor = {
        personId,
        name: person.name,
        role: person.role,
        viewedBy: { personId: own, name },
        ...(scope === undefined ? {} : { key: scope }),
      };
      return { ...caller, actor, email: person.email };
    },
  };
}

function createSessions(store: PeopleStore, audit: AuditSink, revocations: Revocations): Pick<Platform, "listSessions" | "endSession"> {
  const whose = (caller: Caller, personId: string | undefined): string => {
    if (personId !== undefined && personId !== caller.actor.personId) {
      needAdministrator(caller.actor);
      if (store.readPerson(personId) === undefined) throw noPerson(personId);
      return personId;
    }
    if (caller.via !== "session" || caller.actor.personId === null || caller.actor.viewedBy !== undefined) throw needSession();
    return caller.actor.personId;
  };
  return {
    async listSessions(caller, personId) {
      return store.sessions.list(whose(caller, personId)).map(({ id, createdAt, updatedAt, ipAddress, userAgent }) => ({
        id,
        createdAt,
        lastSeenAt: updatedAt,
        address: ipAddress === "" ? null : ipAddress,
        userAgent: userAgent === "" ? null : userAgent,
        current: id === caller.sessionId,
      }));
    },
    async endSession(caller, id, personId) {
      const person = whose(caller, personId);
      const ids = id === null ? store.sessions.list(person).flatMap((row) => (row.id === caller.sessionId ? [] : [row.id])) : [id];
      for (const one of ids) {
        if (!store.sessions.remove(person, one)) throw noSession();
        revocations.endSession(one);
      }
      audit.record({
        actor: caller.actor,
        action: "session.end",
        subject: { kind: "person", id: person },
        outcome: "ok",
        details: { sessions: ids.length },
      });
    },
  };
}

function createFactors(
  store: PeopleStore,
  secondFactor: SecondFactor,
  audit: AuditSink,
  now: () => number,
): Pick<Platform, "startSecondFactor" | "confirmSecondFactor" | "removeSecondFactor"> {
  const tries = createAttempts(10, 15 * 60_000, now);
  const self = (caller: Caller) => {
    const person = caller.actor.personId === null ? undefined : store.readPerson(caller.actor.personId);
    if (caller.via !== "session" || person === undefined || caller.actor.viewedBy !== undefined) throw needSession();
    return person;
  };
  const note = (caller: Caller, action: string, id: string): void =>
    audit.record({ actor: caller.actor, action, subject: { kind: "person", id }, outcome: "ok" });
  return {
    startSecondFactor: async (caller) => secondFactor.start(self(caller)),
    async confirmSecondFactor(caller, code) {
      const { id } = self(caller);
      tries.check(id);
      tries.failed(id);
      const codes = secondFactor.confirm(id, code);
      if (codes === false) throw wrongCode();
      tries.cleared(id);
      note(caller, "second-factor.on", id);
      return codes;
    },
    async removeSecondFactor(caller, code, personId) {
      if (personId !== undefined && personId !== caller.actor.personId) {
        needAdministrator(caller.actor);
        if (store.readPerson(personId) === undefined) throw noPerson(personId);
        secondFactor.remove(personId);
        note(caller, "second-factor.off", personId);
        return;
      }
      const { id } = self(caller);
      tries.check(id);
      tries.failed(id);
      if (!secondFactor.check(id, code ?? "")) throw wrongCode();
      tries.cleared(id);
      secondFactor.remove(id);
      note(caller, "second-factor.off", id);
    },
  };
}
