/** @file Who is asking, and what people and keys there are. Every request gets its Actor here. */
import { newId, type Settings, StarboxError } from "#base";
import type { Actor, ApiKeyInfo, Caller, Credentials, PersonInfo, Platform } from "#contracts";
import { createAttempts } from "./attempts.ts";
import { type Auth, addressHeader, loadAuth } from "./auth.ts";
import { hashSecret, loadSecretFile, randomText, sameSecret } from "./secrets.ts";
import type { PeopleStore, StoredKey } from "./store.ts";

export type PlatformOptions = {
  readonly store: PeopleStore;
  readonly settings: Pick<Settings, "data" | "trustedOrigins">;
  readonly now?: () => number;
};

const minute = 60_000;

export function createPlatform({ store, settings, now = Date.now }: PlatformOptions): Platform {
  const at = (): string => new Date(now()).toISOString();
  // A new token each start: one that leaked with an old backup is worth nothing.
  const operatorToken = loadSecretFile(settings.data, "operator.token", true);
  const byAddress = createAttempts(10, minute, now);
  const byAccount = createAttempts(10, 15 * minute, now);
  let auth: Promise<Auth> | undefined;
  const loadedAuth = (): Promise<Auth> => {
    auth ??= loadAuth(store, loadSecretFile(settings.data, "session.secret", false), settings.trustedOrigins);
    return auth;
  };

  let code: string | null = null;
  if (store.countAdministrators() === 0) {
    code = randomText(12).toUpperCase().replace(/(.{4})(?=.)/g, "$1-");
    store.writeSetupCode(hashSecret(plainCode(code)));
  }

  const callerOf = (personId: string, via: Caller["via"], setCookies: readonly string[]): Caller | null => {
    const person = store.readPerson(personId);
    return person === undefined ? null : { actor: { personId, name: person.name, role: person.role }, email: person.email, via, setCookies };
  };

  const signIn: Platform["signIn"] = async ({ email, password }, from) => {
    const account = `account ${email.toLowerCase()}`;
    const address = `address ${from.address}`;
    byAddress.check(address);
    byAccount.check(account);
    const session = await (await loadedAuth()).signIn(email.toLowerCase(), password, sessionHeaders(from));
    const caller = session === null ? null : callerOf(session.userId, "session", session.setCookies);
    if (caller === null) {
      byAddress.failed(address);
      byAccount.failed(account);
      throw new StarboxError("unauthorized", "E-mail or password is wrong.", {
        hint: "Check both; an administrator can set a new password for you.",
        zh: { message: "邮箱或密码不正确。", hint: "请检查后重试；管理员可以为你设置新密码。" },
      });
    }
    byAccount.cleared(account);
    return caller;
  };

  return {
    setupRequired: () => store.countAdministrators() === 0,
    setupCode: () => (store.countAdministrators() === 0 ? code : null),

    async setUp(input, from) {
      if (store.countAdministrators() > 0) throw alreadySetUp();
      const address = `address ${from.address}`;
      byAddress.check(address);
      const hash = hashSecret(plainCode(input.code));
      if (!sameSecret(hash, store.readSetupCode() ?? "")) {
        byAddress.failed(address);
        throw new StarboxError("setup_code_wrong", "The set-up code is wrong.", {
          hint: "The box prints it in the terminal when it starts; a restart prints a new one.",
          zh: { message: "初始化代码不正确。", hint: "代码会在星匣启动时显示在终端里；重新启动会生成新的代码。" },
        });
      }
      const { person, account } = await newPerson({ ...input, role: "administrator" });
      if (!store.spendSetupCode(hash, () => store.createPerson(person, account))) throw alreadySetUp();
      code = null;
      return await signIn(input, from);
    },

    signIn,
    signOut: async (from) => await (await loadedAuth()).signOut(sessionHeaders(from)),

    async identify(from) {
      const bearer = /^Bearer +(\S+) *$/i.exec(from.authorization ?? "")?.[1];
      if (bearer !== undefined) return identifyBearer(bearer, from);
      if (from.authorization !== null || from.cookie === null || !from.cookie.includes("starbox.session_token=")) return null;
      const session = await (await loadedAuth()).readSession(sessionHeaders(from));
      return session === null ? null : callerOf(session.userId, "session", session.setCookies);
    },

    async listPeople(actor) {
      needAdministrator(actor);
      return store.listPeople();
    },
    async createPerson(actor, input) {
      needAdministrator(actor);
      const { person, account } = await newPerson(input);
      store.createPerson(person, account);
      return person;
    },
    async updatePerson(actor, id, patch) {
      if (patch.role !== undefined || actor.personId !== id) needAdministrator(actor);
      const found = store.readPerson(id);
      if (found === undefined) throw noPerson(id);
      const passwordHash = patch.password === undefined ? undefined : await (await loadedAuth()).hashPassword(patch.password);
      const done = store.updatePerson(id, { ...(patch.name === undefined ? {} : { name: patch.name }), ...(patch.role === undefined ? {} : { role: patch.role }), ...(passwordHash === undefined ? {} : { passwordHash }) }, at());
      if (!done) throw lastAdministrator();
      return store.readPerson(id) ?? found;
    },
    async removePerson(actor, id) {
      needAdministrator(actor);
      if (store.readPerson(id) === undefined) throw noPerson(id);
      if (!store.removePerson(id)) throw lastAdministrator();
    },

    async listKeys(actor) {
      const all = store.keys.list();
      return (actor.role === "member" ? all.filter((key) => key.personId === actor.personId) : all).map(presentKey);
    },
    async createKey(actor, input) {
      const key = `sb-${randomText(40)}`;
      const stored: StoredKey = {
        id: newId("key", now()), hash: hashSecret(key), prefix: key.slice(0, 9), name: input.name, personId: actor.personId,
        createdAt: at(), lastUsedAt: null, expiresAt: input.expiresAt ?? null,
      };
      store.keys.insert(stored);
      return { ...presentKey(stored), key };
    },
    async removeKey(actor, id) {
      const found = store.keys.read(id);
      // Other people's keys are not there for a member: no way to learn their ids.
      if (found === undefined || (actor.role === "member" && found.personId !== actor.personId)) {
        throw new StarboxError("not_found", `No key "${id}".`, { hint: "GET /api/keys lists them.", zh: { message: `没有密钥“${id}”。`, hint: "GET /api/keys 可列出所有密钥。" } });
      }
      store.keys.remove(id);
    },
  };

  async function newPerson(input: { readonly name: string; readonly email: string; readonly password: string; readonly role: PersonInfo["role"] }) {
    const passwordHash = await (await loadedAuth()).hashPassword(input.password);
    const person = { id: newId("person", now()), name: input.name, email: input.email.toLowerCase(), role: input.role, createdAt: at() };
    return { person, account: { id: newId("account", now()), passwordHash } };
  }

  function identifyBearer(bearer: string, from: Credentials): Caller | null {
    if (!bearer.startsWith("sb-")) {
      if (!from.loopback || !sameSecret(bearer, operatorToken)) return null;
      return { actor: { personId: null, name: "operator", role: "operator" }, email: null, via: "operator", setCookies: [] };
    }
    const key = store.keys.findByHash(hashSecret(bearer));
    if (key === undefined || (key.expiresAt !== null && Date.parse(key.expiresAt) <= now())) return null;
    // Once a minute is enough to see whether a key is in use, and spares a write a request.
    if (key.lastUsedAt === null || now() - Date.parse(key.lastUsedAt) > minute) store.keys.touch(key.id, at());
    if (key.personId !== null) return callerOf(key.personId, "key", []);
    return { actor: { personId: null, name: `key ${key.name}`, role: "administrator" }, email: null, via: "key", setCookies: [] };
  }
}

/** As typed or pasted: case, blanks and dashes do not matter, nor 0/O and 1/I/L. */
const plainCode = (code: string): string => code.toUpperCase().replace(/[^0-9A-Z]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");

function sessionHeaders(from: Credentials): Headers {
  const headers = new Headers({ [addressHeader]: from.address });
  if (from.cookie !== null) headers.set("cookie", from.cookie);
  if (from.userAgent !== null) headers.set("user-agent", from.userAgent);
  return headers;
}

function presentKey(key: StoredKey): ApiKeyInfo {
  const { hash: _, ...shown } = key;
  return shown;
}

function needAdministrator(actor: Actor): void {
  if (actor.role !== "member") return;
  throw new StarboxError("forbidden", "Only an administrator may do this.", { hint: "Ask an administrator of this box.", zh: { message: "只有管理员可以这样做。", hint: "请联系本机的管理员。" } });
}

const alreadySetUp = (): StarboxError =>
  new StarboxError("conflict", "The box is already set up.", { hint: "Sign in; an administrator can add people.", zh: { message: "星匣已经完成初始化。", hint: "请直接登录；管理员可以添加成员。" } });

const noPerson = (id: string): StarboxError =>
  new StarboxError("not_found", `No person "${id}".`, { hint: "GET /api/people lists them.", zh: { message: `没有成员“${id}”。`, hint: "GET /api/people 可列出所有成员。" } });

const lastAdministrator = (): StarboxError =>
  new StarboxError("conflict", "This is the last administrator.", { hint: "Make somebody else an administrator first.", zh: { message: "这是最后一位管理员。", hint: "请先把其他成员设为管理员。" } });
