/** @file Who may see what, asked of the store at every question; what follows from it is kept as long as the answer is the same. */
import type { IndexReader, Scope } from "./reader.ts";

export type OpenScope = {
  readonly kbs: readonly number[];
  readonly superseded: ReadonlySet<number>;
  /** The same function as long as nothing changes. */
  readonly isAllowed: (chunkId: number) => boolean;
};

export type Scopes = { open(scope: Scope): OpenScope };

/** Different scopes asked at the same time, more or less: each is a text of some ten bytes a document. */
const kept = 16;

export function createScopes(reader: Pick<IndexReader, "listScope">, versionOf: (chunkId: number) => number): Scopes {
  const known = new Map<string, OpenScope>();
  const read = (rows: string): OpenScope => {
    const versions = JSON.parse(rows) as (readonly [version: number, kb: number, superseded: number])[];
    const allowed = new Uint8Array(1 + versions.reduce((largest, [version]) => Math.max(largest, version), 0));
    for (const [version] of versions) allowed[version] = 1;
    return {
      kbs: [...new Set(versions.map(([, kb]) => kb))],
      superseded: new Set(versions.filter(([, , superseded]) => superseded === 1).map(([version]) => version)),
      isAllowed: (chunkId) => allowed[versionOf(chunkId)] === 1,
    };
  };
  return {
    open(scope) {
      const rows = reader.listScope(scope);
      const open = known.get(rows) ?? read(rows);
      if (known.size >= kept) known.clear();
      known.set(rows, open);
      return open;
    },
  };
}
