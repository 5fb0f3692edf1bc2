/** @file The table of operators. Every device must say for each what it does with it (`Kernels` in ../backends/backend.ts). */
import type { OpForm } from "../op.ts";
import { silu } from "./silu.ts";
import { siluBackward } from "./silu-backward.ts";

const table = { silu, siluBackward } as const satisfies Record<string, OpForm>;

export type OpName = keyof typeof table;
export const ops: Readonly<Record<OpName, OpForm>> = table;
export const opNames = Object.keys(table) as readonly OpName[];
