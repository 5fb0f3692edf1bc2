/** @file Counts failed tries by socket address and by account, in memory. A header cannot change whom it counts. */
import { StarboxError } from "#base";

export type Attempts = {
  /** Throws `busy` while the key has used up its tries. */
  check(key: string): void;
  failed(key: string): void;
  /** Takes back the newest failure: the try turned out well. */
  forgiven(key: string): void;
  cleared(key: string): void;
};

const maxKeys = 10_000;

export function createAttempts(limit: number, windowMs: number, now: () => number): Attempts {
  const failures = new Map<string, number[]>();
  const recent = (key: string): number[] => (failures.get(key) ?? []).filter((at) => at > now() - windowMs);
  return {
    check(key) {
      const times = recent(key);
      if (times.length < limit) return;
      const retryAfterSeconds = Math.max(1, Math.ceil(((times[0] ?? now()) + windowMs - now()) / 1000));
      throw new StarboxError("busy", "Too many failed tries.", {
        hint: `Wait ${retryAfterSeconds} seconds, then try again.`,
        zh: { message: "失败次数过多。", hint: `请等待 ${retryAfterSeconds} 秒后再试。` },
        retryAfterSeconds,
      });
    },
    failed(key) {
      const times = [...recent(key), now()].slice(-limit);
      failures.delete(key);
      failures.set(key, times);
      // The oldest go first, so somebody with many addresses cannot fill the memory.
      if (failures.size > maxKeys) failures.delete(failures.keys().next().value ?? key);
    },
    forgiven: (key) => void failures.get(key)?.pop(),
    cleared: (key) => void failures.delete(key),
  };
}
