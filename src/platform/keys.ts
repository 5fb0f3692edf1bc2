/** @file API keys: of a person or a team, with scopes and an end; shown once, kept as hashes, rotated without a gap. */
import { newId, StarboxError } from "#base";
import type { Actor, ApiKeyInfo, KeyScopeInput, KeysService } from "#contracts";
import { seesEverything } from "./access.ts";
import { needAdministrator, noKey, noPerson, noTeam } from "./problems.ts";
import { hashSecret, randomText } from "./secrets.ts";
import type { PeopleStore, StoredKey } from "./store.ts";

type KeyStore = PeopleStore["keys"];

const touchEveryMs = 60_000;
const usualGraceSeconds = 86_400;

const makeKey = (): { readonly key: string; readonly hash: string; readonly prefix: string } => {
  const key = `sb-${randomText(40)}`;
  return { key, hash: hashSecret(key), prefix: key.slice(0, 9) };
};

/** The stored key, if it is known, not revoked and not past its end. */
export function findKey(store: Pick<KeyStore, "findByHash" | "touch">, key: string, nowMs: number): StoredKey | null {
  const at = new Date(nowMs).toISOString();
  const found = store.findByHash(hashSecret(key), at);
  if (found === undefined || found.revokedAt !== null || (found.expiresAt !== null && Date.parse(found.expiresAt) <= nowMs)) return null;
  // Once a minute is enough to see whether a key is in use, and spares a write a request.
  if (found.lastUsedAt === null || nowMs - Date.parse(found.lastUsedAt) > touchEveryMs) store.touch(found.id, at);
  return found;
}

/** `ended`: what a key may has shrunk; whatever runs for it stops. */
export function createKeysService(store: KeyStore, now: () => number, ended: (keyId: string) => void): KeysService {
  const at = (ms = now()): string => new Date(ms).toISOString();
  const visible = (actor: Actor, key: StoredKey): boolean => seesEverything(actor) || (key.personId !== null && key.personId === actor.personId);
  const own = (actor: Actor, id: string): StoredKey => {
    const found = store.read(id);
    // Other people's keys are not there for a member: no way to learn their ids.
    if (found === undefined || !visible(actor, found)) throw noKey(id);
    return found;
  };
  return {
    list: async (actor) =>
      store
        .list()
        .filter((key) => visible(actor, key))
        .map(presentKey),
    async create(actor, input) {
      mayHandOut(actor);
      const personId = input.teamId !== undefined ? null : (input.personId ?? actor.personId);
      if (input.teamId !== undefined || personId !== actor.personId) needAdministrator(actor);
      if (input.teamId !== undefined && store.ownerName("team", input.teamId) === null) throw noTeam(input.teamId);
      if (personId !== null && store.ownerName("person", personId) === null) throw noPerson(personId);
      const { key, hash, prefix } = makeKey();
      const stored: StoredKey = {
        id: newId("key", now()),
        hash,
        prefix,
        name: input.name,
        personId,
        teamId: input.teamId ?? null,
        createdBy: actor.personId,
        models: input.models ?? null,
        bases: input.bases ?? null,
        access: input.access ?? "write",
        createdAt: at(),
        lastUsedAt: null,
        expiresAt: checkExpiry(input, now()),
        rotatedAt: null,
        revokedAt: null,
        formerUntil: null,
      };
      store.insert(stored);
      return { ...presentKey(stored), key };
    },
    async update(actor, id, patch) {
      mayHandOut(actor);
      own(actor, id);
      checkExpiry(patch, now());
      store.update(id, Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)));
      ended(id);
      return presentKey(own(actor, id));
    },
    async rotate(actor, id, { graceSeconds = usualGraceSeconds } = {}) {
      mayHandOut(actor, id);
      const found = own(actor, id);
      if (found.revokedAt !== null) throw revoked(found);
      const { key, hash, prefix } = makeKey();
      store.rotate(id, { hash, prefix, at: at(), oldUntil: at(now() + graceSeconds * 1000) });
      return { ...presentKey(own(actor, id)), key };
    },
    async revoke(actor, id) {
      const found = own(actor, id);
      mayHandOut(actor, id);
      if (!store.revoke(found.id, at())) throw noKey(id);
      ended(found.id);
    },
  };
}

/** A key with limits must not make or change keys without them; it may rotate and revoke itself. */
function mayHandOut(actor: Actor, id?: string): void {
  if (actor.key === undefined || actor.key.id === id) return;
  if (actor.key.write && actor.key.models === null && actor.key.bases === null) return;
  throw new StarboxError("forbidden", "A key with limits cannot make or change other keys.", {
    hint: "Sign in, or use a key without limits.",
    zh: { message: "受限的密钥不能创建或修改其他密钥。", hint: "请登录后操作，或使用不受限的密钥。" },
  });
}

function checkExpiry({ expiresAt }: KeyScopeInput, nowMs: number): string | null {
  if (expiresAt === undefined || expiresAt === null) return null;
  if (Date.parse(expiresAt) > nowMs) return new Date(expiresAt).toISOString();
  throw new StarboxError("invalid_input", `Expected an expiry in the future, got ${expiresAt}.`, {
    hint: "Give a later time, or none.",
    zh: { message: `到期时间应在将来，收到的是 ${expiresAt}。`, hint: "请给出更晚的时间，或不设到期时间。" },
  });
}

const revoked = (key: StoredKey): StarboxError =>
  new StarboxError("conflict", `The key "${key.name}" was revoked.`, {
    hint: "Make a new one.",
    zh: { message: `密钥“${key.name}”已被吊销。`, hint: "请新建一个密钥。" },
  });

function presentKey({ hash: _, createdBy: __, ...shown }: StoredKey): ApiKeyInfo {
  return shown;
}
