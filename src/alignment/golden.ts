/** @file Fingerprints of every layer by PyTorch (scripts/golden/models.py), committed for models whose file is known by its hash; and our rows against them. */
import fs from "node:fs";
import { createRandom, seedOf } from "#compute";

export type Golden = {
  readonly by: string;
  readonly sha256: string;
  readonly ids: readonly number[];
  /** Stage -> of every token its norm, first four numbers, and products with three vectors of random signs. */
  readonly stages: Readonly<Record<string, readonly (readonly number[])[]>>;
  /** Of the last stage's rows every `every`-th number as it is, and the largest of all. */
  readonly values?: { readonly every: number; readonly largest: number; readonly rows: readonly (readonly number[])[] };
};

export type GoldenRow = { readonly stage: string /** Largest error of a fingerprint over the row's norm. */; readonly error: number };

/** Null when no golden values belong to this file. */
export function findGolden(sha256: string): Golden | null {
  const folder = new URL("./golden/", import.meta.url);
  for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
    if (!name.endsWith(".json")) continue;
    const golden = JSON.parse(fs.readFileSync(new URL(name, folder), "utf8")) as Golden;
    if (golden.sha256 === sha256) return golden;
  }
  return null;
}

const signs = (count: number, probe: number): Float64Array => {
  const random = createRandom(seedOf(`signs ${probe}`));
  return Float64Array.from({ length: count }, () => (random() < 0.5 ? 1 : -1));
};

export function compareGolden(golden: Golden, rows: ReadonlyMap<string, Float64Array>): GoldenRow[] {
  return [...rows].flatMap(([stage, values]) => {
    const expected = golden.stages[stage];
    if (expected === undefined) return [];
    const width = values.length / expected.length;
    const probes = [0, 1, 2].map((probe) => signs(width, probe));
    const errors = expected.map((fingerprint, t) => {
      const row = values.subarray(t * width, (t + 1) * width);
      const norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
      const got = [norm, ...row.subarray(0, 4), ...probes.map((probe) => row.reduce((sum, v, i) => sum + v * probe[i]!, 0))];
      return Math.max(...fingerprint.map((value, i) => Math.abs(value - got[i]!))) / (fingerprint[0] || 1);
    });
    return [{ stage, error: Math.max(...errors) }];
  });
}
