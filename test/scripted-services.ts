/** @file A double of the box's services for tests of HTTP: answers what is scripted, records calls, refuses the rest. */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { loadSettings, silentLogger } from "#base";
import type { AuditSink, LanguageModel, PeopleService, Platform, Services, StreamPart } from "#contracts";
import { createAccess, createPeopleService, createPlatform, createRevocations, type PlatformOptions } from "#platform";
import { openStorage, type Storage } from "#storage";

type Room = keyof Services;
const roomNames = [
  "knowledge",
  "answers",
  "chats",
  "models",
  "system",
  "people",
  "operations",
  "pages",
  "keys",
  "usage",
  "audit",
  "privacy",
  "meter",
] as const satisfies readonly Room[];
type Script = { readonly [R in Room]?: Partial<Services[R]> };

export type ScriptedServices = Services & { readonly calls: { readonly name: string; readonly args: readonly unknown[] }[] };

export function scriptedServices(script: Script): ScriptedServices {
  const calls: ScriptedServices["calls"] = [];
  const room = (name: Room): unknown =>
    new Proxy(
      {},
      {
        get: (_, key) => {
          const scripted = (script[name] as Record<string, unknown> | undefined)?.[String(key)];
          if (typeof scripted !== "function") throw new Error(`${name}.${String(key)} was called and is not in the script`);
          return (...args: unknown[]) => {
            calls.push({ name: `${name}.${String(key)}`, args });
            return scripted(...args) as unknown;
          };
        },
      },
    );
  const rooms = Object.fromEntries(roomNames.map((name) => [name, room(name)]));
  return { ...(rooms as unknown as Services), calls };
}

/** A real sign-in over a real database in a folder that goes away. */
export function temporaryPlatform(): {
  readonly platform: Platform;
  readonly people: PeopleService;
  readonly storage: Storage;
  readonly folder: string;
  close(): void;
} {
  const folder = mkdtempSync(path.join(os.tmpdir(), "starbox-http-"));
  const storage = openStorage(folder);
  const { platform, people } = platformOver(storage, folder);
  return {
    platform,
    people,
    storage,
    folder,
    close() {
      storage.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Sign-in and people over an open storage, as `app` joins them. */
export function platformOver(
  storage: Storage,
  folder: string,
  more: { readonly settings?: Partial<PlatformOptions["settings"]>; readonly now?: () => number; readonly audit?: AuditSink } = {},
): { readonly platform: Platform; readonly people: PeopleService } {
  const { now = Date.now, audit = { record: () => undefined } } = more;
  const revocations = createRevocations();
  const settings = { ...loadSettings({}, {}), data: folder, ...more.settings };
  return {
    platform: createPlatform({ store: storage.people, settings, audit, revocations, now }),
    people: createPeopleService({
      store: storage.people,
      access: createAccess(storage.access),
      lists: storage.access,
      kbs: storage.kbs,
      audit,
      ended: (personId) => revocations.endPerson(personId),
      now,
    }),
  };
}

/** Plays its parts one by one; stops when the request is aborted and says so in `aborted`. */
export function scriptedModel(
  id: string,
  play: (request: Parameters<LanguageModel["stream"]>[0]) => AsyncIterable<StreamPart>,
): LanguageModel & { aborted: number; requests: Parameters<LanguageModel["stream"]>[0][] } {
  const model = {
    id,
    contextTokens: 4096,
    aborted: 0,
    requests: [] as Parameters<LanguageModel["stream"]>[0][],
    async *stream(request: Parameters<LanguageModel["stream"]>[0]): AsyncIterable<StreamPart> {
      model.requests.push(request);
      request.signal?.addEventListener("abort", () => void model.aborted++, { once: true });
      yield* play(request);
    },
    countTokens: async (text: string) => text.length,
  };
  return model;
}

export const testSettings = { host: "127.0.0.1", port: 0, maxFileMb: 1, trustedOrigins: ["http://box.lan:8480"] } as const;
export { silentLogger };
