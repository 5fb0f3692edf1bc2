/** @file `--peer NAME=PATH`: the programs a measurement is compared with. */
import { StarboxError } from "#base";

export function peersOf(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((pair) => {
      const at = pair.indexOf("=");
      if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
      throw new StarboxError("usage", `--peer: expected NAME=PATH, got "${pair}".`, { zh: { message: `--peer 应为 NAME=PATH，而不是“${pair}”。` } });
    }),
  );
}
