/** @file What an executable needs of the device it was compiled for. */
import type { Address, Native } from "./native.ts";

export type CpuHost = {
  readonly native: Native;
  readonly pool: Address;
  readonly threads: number;
  /** One run at a time: the pool is one. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
};
