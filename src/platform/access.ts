/** @file Who may read and write what, for everything that is not retrieval's own SQL. The lists and their rule are in the store. */
import type { Access, Actor, Level, Viewer } from "#contracts";

type OpenLists = ReadonlyMap<number, number>;
type FoundDocument = { readonly kbId: string; readonly list: number | null; readonly approved: boolean };

export type AccessStore = {
  generation(): number;
  openLists(viewer: Viewer): OpenLists;
  nearestList(kbId: string, path: string): number | null;
  document(id: string): FoundDocument | undefined;
  chunkDocument(chunkId: number): FoundDocument | undefined;
};

const ceilings = {
  operator: "manage",
  administrator: "manage",
  "knowledge-owner": "manage",
  editor: "write",
  member: "read",
  "api-only": "write",
} as const;
const levels: readonly (Level | null)[] = [null, "read", "write", "manage"];
const cacheSize = 300;

/** Everything, unless a key narrows it. */
export const seesEverything = (actor: Actor): boolean => actor.role === "operator" || actor.role === "administrator";

export function viewerOf(actor: Actor): Viewer {
  const ceiling = actor.key?.write === false ? "read" : ceilings[actor.role];
  return {
    person: actor.personId,
    access: seesEverything(actor) ? "everything" : "granted",
    ceiling,
    ...(actor.teamId === undefined ? {} : { team: actor.teamId }),
    ...(actor.key === undefined || actor.key.bases === null ? {} : { bases: actor.key.bases }),
  };
}

export function createAccess(store: AccessStore): Access {
  // A handful of people ask again and again; the number says whether anything that counts has changed since.
  const known = new Map<string, { readonly generation: number; readonly lists: OpenLists }>();
  const openLists = (viewer: Viewer): OpenLists => {
    const key = JSON.stringify(viewer);
    const generation = store.generation();
    const cached = known.get(key);
    if (cached?.generation === generation) return cached.lists;
    const lists = store.openLists(viewer);
    known.delete(key);
    known.set(key, { generation, lists });
    for (const oldest of known.keys()) {
      if (known.size <= cacheSize) break;
      known.delete(oldest);
    }
    return lists;
  };
  const levelOn = (viewer: Viewer, kbId: string | null, list: number | null): Level | null => {
    const open = viewer.access === "everything" ? null : openLists(viewer);
    if (kbId === null || list === null || viewer.bases?.includes(kbId) === false) return null;
    return open === null ? (viewer.ceiling ?? "manage") : (levels[open.get(list) ?? 0] ?? null);
  };
  // The same work is done for what is not there, so that the time taken tells nothing.
  const onDocument = (viewer: Viewer, found: FoundDocument | undefined): Level | null => {
    const level = levelOn(viewer, found?.kbId ?? null, found?.list ?? null);
    return level === "read" && found?.approved === false && viewer.access !== "everything" ? null : level;
  };
  return {
    viewer: viewerOf,
    base: (actor, kbId) => levelOn(viewerOf(actor), kbId, store.nearestList(kbId, "")),
    path: (actor, kbId, path) => levelOn(viewerOf(actor), kbId, store.nearestList(kbId, path)),
    document: (actor, documentId) => onDocument(viewerOf(actor), store.document(documentId)),
    chunk: (actor, chunkId) => onDocument(viewerOf(actor), store.chunkDocument(chunkId)),
    sees: (viewer, documentId) => onDocument(viewer, store.document(documentId)) !== null,
    readable(actor) {
      const viewer = viewerOf(actor);
      if (viewer.access === "everything") return null;
      const open = [...openLists(viewer)];
      return { lists: open.map(([list]) => list), writable: open.filter(([, level]) => level >= 2).map(([list]) => list) };
    },
    generation: () => store.generation(),
  };
}
