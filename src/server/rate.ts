/** @file So many in so long a time, by a name; more is told when to come back. Kept in memory, the oldest names go first. */
import { StarboxError } from "#base";

const maxNames = 10_000;

/** Counts one; throws busy when there were `limit` within `windowMs`. By a clock that does not jump. */
export function createRate(limit: number, windowMs: number, now: () => number = () => performance.now()): (name: string) => void {
  const seen = new Map<string, number[]>();
  return (name) => {
    const recent = (seen.get(name) ?? []).filter((at) => at > now() - windowMs);
    if (recent.length >= limit) {
      const retryAfterSeconds = Math.max(1, Math.ceil(((recent[0] ?? 0) + windowMs - now()) / 1000));
      throw new StarboxError("busy", "Too many questions from here.", {
        hint: `Try again in ${retryAfterSeconds} seconds.`,
        zh: { message: "提问过于频繁。", hint: `请在 ${retryAfterSeconds} 秒后再试。` },
        retryAfterSeconds,
      });
    }
    seen.delete(name);
    seen.set(name, [...recent, now()]);
    if (seen.size > maxNames) seen.delete(seen.keys().next().value ?? name);
  };
}
