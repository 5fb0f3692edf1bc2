/** @file API keys: shown once, kept as hashes, acting for the person who made them. */
import { newId } from "#base";
import type { Actor, ApiKeyInfo, Platform } from "#contracts";
import { seesEverything } from "./access.ts";
import { noKey } from "./problems.ts";
import { hashSecret, randomText } from "./secrets.ts";
import type { PeopleStore, StoredKey } from "./store.ts";

export type Keys = Pick<Platform, "listKeys" | "createKey" | "removeKey"> & {
  /** The stored key, if it is known and has not expired. */
  find(key: string): StoredKey | null;
};

const touchEveryMs = 60_000;

export function createKeys(store: PeopleStore, now: () => number): Keys {
  const at = (): string => new Date(now()).toISOString();
  const visible = (actor: Actor, key: StoredKey): boolean => seesEverything(actor) || key.personId === actor.personId;
  return {
    find(key) {
      const found = store.keys.findByHash(hashSecret(key));
      if (found === undefined || (found.expiresAt !== null && Date.parse(found.expiresAt) <= now())) return null;
      // Once a minute is enough to see whether a key is in use, and spares a write a request.
      if (found.lastUsedAt === null || now() - Date.parse(found.lastUsedAt) > touchEveryMs) store.keys.touch(found.id, at());
      return found;
    },
    async listKeys(actor) {
      return store.keys
        .list()
        .filter((key) => visible(actor, key))
        .map(presentKey);
    },
    async createKey(actor, input) {
      const key = `sb-${randomText(40)}`;
      const stored: StoredKey = {
        id: newId("key", now()),
        hash: hashSecret(key),
        prefix: key.slice(0, 9),
        name: input.name,
        personId: actor.personId,
        createdAt: at(),
        lastUsedAt: null,
        expiresAt: input.expiresAt ?? null,
      };
      store.keys.insert(stored);
      return { ...presentKey(stored), key };
    },
    async removeKey(actor, id) {
      const found = store.keys.read(id);
      // Other people's keys are not there for a member: no way to learn their ids.
      if (found === undefined || !visible(actor, found)) throw noKey(id);
      store.keys.remove(id);
    },
  };
}

function presentKey({ hash: _, ...shown }: StoredKey): ApiKeyInfo {
  return shown;
}
