/** @file Who is asking: set-up, sign-in, sessions, keys, the operator. Every request gets its Actor here. */
import type { Settings } from "#base";
import type { Caller, Credentials, Platform } from "#contracts";
import { createAttempts } from "./attempts.ts";
import { type Auth, addressHeader, loadAuth } from "./auth.ts";
import { createKeys, type Keys } from "./keys.ts";
import { createPeople } from "./people.ts";
import { alreadySetUp, wrongPassword, wrongSetupCode } from "./problems.ts";
import { hashSecret, loadSecretFile, randomText, sameSecret } from "./secrets.ts";
import type { PeopleStore } from "./store.ts";

export type PlatformOptions = {
  readonly store: PeopleStore;
  readonly settings: Pick<Settings, "data" | "trustedOrigins">;
  readonly now?: () => number;
};

const minute = 60_000;
type FindCaller = (personId: string, via: Caller["via"], setCookies: readonly string[]) => Caller | null;

/** Only for the process that holds the data folder's lock: it makes the operator's token anew. */
export function createPlatform({ store, settings, now = Date.now }: PlatformOptions): Platform {
  // A new token each start: one that leaked with an old backup is worth nothing.
  const operatorToken = loadSecretFile(settings.data, "operator.token", true);
  let auth: Promise<Auth> | undefined;
  const loadedAuth = (): Promise<Auth> => {
    auth ??= loadAuth(store, loadSecretFile(settings.data, "session.secret", false), settings.trustedOrigins);
    return auth;
  };
  const keys = createKeys(store, now);
  const people = createPeople(store, async (password) => await (await loadedAuth()).hashPassword(password), now);
  const findCaller: FindCaller = (personId, via, setCookies) => {
    const person = store.readPerson(personId);
    return person === undefined ? null : { actor: { personId, name: person.name, role: person.role }, email: person.email, via, setCookies };
  };
  const { signIn, setUp, setupCode } = createSignIn({ store, people, loadedAuth, findCaller, now });

  return {
    setupRequired: () => store.countAdministrators() === 0,
    setupCode,
    setUp,
    signIn,
    signOut: async (from) => await (await loadedAuth()).signOut(sessionHeaders(from)),
    async identify(from) {
      const bearer = /^Bearer +(\S+) *$/i.exec(from.authorization ?? "")?.[1];
      if (bearer !== undefined) return identifyBearer(bearer, from, operatorToken, keys, findCaller);
      if (from.authorization !== null || from.cookie === null || !from.cookie.includes("starbox.session_token=")) return null;
      const session = await (await loadedAuth()).readSession(sessionHeaders(from));
      return session === null ? null : findCaller(session.userId, "session", session.setCookies);
    },
    listPeople: people.listPeople,
    createPerson: people.createPerson,
    updatePerson: people.updatePerson,
    removePerson: people.removePerson,
    listKeys: keys.listKeys,
    createKey: keys.createKey,
    removeKey: keys.removeKey,
  };
}

function createSignIn(parts: {
  readonly store: PeopleStore;
  readonly people: ReturnType<typeof createPeople>;
  readonly loadedAuth: () => Promise<Auth>;
  readonly findCaller: FindCaller;
  readonly now: () => number;
}): Pick<Platform, "signIn" | "setUp" | "setupCode"> {
  const { store, people, loadedAuth, findCaller, now } = parts;
  const byAddress = createAttempts(10, minute, now);
  const byAccount = createAttempts(10, 15 * minute, now);
  let code: string | null = null;
  if (store.countAdministrators() === 0) {
    code = (randomText(12).toUpperCase().match(/.{4}/g) ?? []).join("-");
    store.writeSetupCode(hashSecret(plainCode(code)));
  }

  const signIn: Platform["signIn"] = async ({ email, password }, from) => {
    const account = `account ${email.toLowerCase()}`;
    const address = `address ${from.address}`;
    byAddress.check(address);
    byAccount.check(account);
    // Counted before the slow comparison, so that many at once cannot slip through together.
    byAddress.failed(address);
    byAccount.failed(account);
    const session = await (await loadedAuth()).signIn(email.toLowerCase(), password, sessionHeaders(from));
    const caller = session === null ? null : findCaller(session.userId, "session", session.setCookies);
    if (caller === null) throw wrongPassword();
    byAddress.forgiven(address);
    byAccount.cleared(account);
    return caller;
  };

  return {
    signIn,
    setupCode: () => (store.countAdministrators() === 0 ? code : null),
    async setUp(input, from) {
      if (store.countAdministrators() > 0) throw alreadySetUp();
      const address = `address ${from.address}`;
      byAddress.check(address);
      const hash = hashSecret(plainCode(input.code));
      if (!sameSecret(hash, store.readSetupCode() ?? "")) {
        byAddress.failed(address);
        throw wrongSetupCode();
      }
      const { person, account } = await people.prepare({ ...input, role: "administrator" });
      if (!store.spendSetupCode(hash, () => store.createPerson(person, account))) throw alreadySetUp();
      code = null;
      return await signIn(input, from);
    },
  };
}

function identifyBearer(bearer: string, from: Credentials, operatorToken: string, keys: Keys, findCaller: FindCaller): Caller | null {
  if (!bearer.startsWith("sb-")) {
    if (!from.loopback || !sameSecret(bearer, operatorToken)) return null;
    return { actor: { personId: null, name: "operator", role: "operator" }, email: null, via: "operator", setCookies: [] };
  }
  const key = keys.find(bearer);
  if (key === null) return null;
  if (key.personId !== null) return findCaller(key.personId, "key", []);
  return { actor: { personId: null, name: `key ${key.name}`, role: "administrator" }, email: null, via: "key", setCookies: [] };
}

/** As typed or pasted: case, blanks and dashes do not matter, nor 0/O and 1/I/L. */
function plainCode(code: string): string {
  const letters = code.toUpperCase().replace(/[^0-9A-Z]/g, "");
  return letters.replaceAll("O", "0").replace(/[IL]/g, "1");
}

function sessionHeaders(from: Credentials): Headers {
  const headers = new Headers({ [addressHeader]: from.address });
  if (from.cookie !== null) headers.set("cookie", from.cookie);
  if (from.userAgent !== null) headers.set("user-agent", from.userAgent);
  return headers;
}
