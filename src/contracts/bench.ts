/** @file One line of `starbox bench`: what was measured, in which unit, on which machine and commit. */
export type Spread = { readonly min: number; readonly median: number; readonly max: number };

export type BenchRow = {
  readonly name: string;
  readonly case: string;
  readonly unit: string;
  readonly starbox: Spread;
  readonly peers?: Readonly<Record<string, Spread>>;
  readonly ratio?: Readonly<Record<string, Spread>>;
  readonly machine: string;
  readonly commit: string;
};
