/** @file Who may see what, asked of the store again only after something was written: between writes the same question has the same answer. */
import type { IndexReader, Scope } from "./reader.ts";

export type OpenScope = {
  readonly kbs: readonly number[];
  readonly superseded: ReadonlySet<number>;
  /** The same function as long as nothing changes. */
  readonly isAllowed: (chunkId: number) => boolean;
};

export type Scopes = { open(scope: Scope): OpenScope };

/** Persons who ask at the same time, more or less. */
const kept = 64;

export function createScopes(reader: Pick<IndexReader, "listScope" | "dataVersion">, versionOf: (chunkId: number) => number): Scopes {
  const known = new Map<string, OpenScope>();
  let at = -1;
  const read = (scope: Scope): OpenScope => {
    const versions = reader.listScope(scope);
    const allowed = new Uint8Array(1 + versions.reduce((largest, { version }) => Math.max(largest, version), 0));
    for (const { version } of versions) allowed[version] = 1;
    return {
      kbs: [...new Set(versions.map(({ kb }) => kb))],
      superseded: new Set(versions.filter(({ superseded }) => superseded).map(({ version }) => version)),
      isAllowed: (chunkId) => allowed[versionOf(chunkId)] === 1,
    };
  };
  return {
    open({ kbIds, viewer, filter }) {
      const now = reader.dataVersion();
      if (now !== at || known.size >= kept) known.clear();
      at = now;
      const key = JSON.stringify([kbIds, viewer, filter ?? null]);
      const scope = known.get(key) ?? read({ kbIds, viewer, ...(filter === undefined ? {} : { filter }) });
      known.set(key, scope);
      return scope;
    },
  };
}
