/** @file Ends open requests when the person, the session or the key behind them has lost its right. */
import type { Caller } from "#contracts";

export type Revocations = {
  /** Aborted when any of them ends. */
  signalsOf(caller: Caller): readonly AbortSignal[];
  endPerson(id: string): void;
  endSession(id: string): void;
  endKey(id: string): void;
};

/** One long-lived signal for each person, session and key that has asked: a request only listens to it. */
export function createRevocations(): Revocations {
  const controllers = new Map<string, AbortController>();
  const signal = (key: string): AbortSignal => {
    let controller = controllers.get(key);
    if (controller === undefined) {
      controller = new AbortController();
      controllers.set(key, controller);
    }
    return controller.signal;
  };
  const end = (key: string): void => {
    controllers.get(key)?.abort();
    controllers.delete(key);
  };
  return {
    signalsOf: ({ actor, sessionId }) => [
      ...(actor.personId === null ? [] : [signal(`person ${actor.personId}`)]),
      ...(actor.viewedBy?.personId == null ? [] : [signal(`person ${actor.viewedBy.personId}`)]),
      ...(actor.key === undefined ? [] : [signal(`key ${actor.key.id}`)]),
      ...(sessionId === undefined ? [] : [signal(`session ${sessionId}`)]),
    ],
    endPerson: (id) => end(`person ${id}`),
    endSession: (id) => end(`session ${id}`),
    endKey: (id) => end(`key ${id}`),
  };
}
