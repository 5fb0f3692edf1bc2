/** @file What somebody asked for and may not: a line of the audit trail each, once a minute for the same person and act, so that hammering cannot flood it. */
import { StarboxError } from "#base";
import type { Actor, AuditSink } from "#contracts";

export type Refusals = {
  note(actor: Actor, action: string, address?: string): void;
  /** Services whose methods take the actor first: each one that ends in `forbidden` leaves a line. */
  guard<T extends object>(name: string, service: T): T;
};

const repeatMs = 60_000;
const mostKnown = 2000;

export function createRefusals(audit: AuditSink, now: () => number): Refusals {
  const noted = new Map<string, number>();
  const note: Refusals["note"] = (actor, action, address) => {
    const key = `${actor.personId ?? actor.key?.id ?? actor.name} ${action}`;
    if ((noted.get(key) ?? Number.NEGATIVE_INFINITY) > now() - repeatMs) return;
    noted.delete(key);
    noted.set(key, now());
    for (const oldest of noted.keys()) {
      if (noted.size <= mostKnown) break;
      noted.delete(oldest);
    }
    audit.record({ actor, action, subject: null, outcome: "refused", ...(address === undefined ? {} : { address }) });
  };
  const noteIfRefused = (error: unknown, actor: Actor, action: string): void => {
    if (StarboxError.is(error, "forbidden")) note(actor, action);
  };
  return {
    note,
    guard: (name, service) =>
      Object.fromEntries(
        Object.entries(service).map(([method, work]) => {
          if (typeof work !== "function") return [method, work];
          const action = `${name}.${method}`;
          const guarded = (...args: readonly unknown[]): unknown => {
            const actor = args[0] as Actor | undefined;
            const result: unknown = work.apply(service, args);
            if (typeof actor?.role !== "string") return result;
            if (isStream(result)) return watchStream(result, (error) => noteIfRefused(error, actor, action));
            if (!(result instanceof Promise)) return result;
            return result.catch((error: unknown) => {
              noteIfRefused(error, actor, action);
              throw error;
            });
          };
          return [method, guarded];
        }),
      ) as typeof service,
  };
}

const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === "object" && value !== null && Symbol.asyncIterator in value && !(value instanceof Promise);

async function* watchStream(stream: AsyncIterable<unknown>, failed: (error: unknown) => void): AsyncGenerator<unknown> {
  try {
    yield* stream;
  } catch (error) {
    failed(error);
    throw error;
  }
}
