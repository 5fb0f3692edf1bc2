/** @file The request that is being served, for calls of models that are made deep inside it. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Actor, Metered } from "#contracts";

type Serving = { readonly actor: Actor; readonly metered: Metered };
const current = new AsyncLocalStorage<Serving>();

export const serving = (): Serving | undefined => current.getStore();

/** Work that answers once. */
export const inOneRequest = <T>(request: Serving, work: () => Promise<T>): Promise<T> => current.run(request, work);

/** Steps an iterable inside a request. Each step is entered anew: whoever takes the next part may be anybody. */
export async function* inRequest<T>(request: Serving, make: () => AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = current.run(request, () => make()[Symbol.asyncIterator]());
  let isDone = false;
  try {
    for (;;) {
      const result = await current.run(request, () => iterator.next());
      if (result.done === true) {
        isDone = true;
        return;
      }
      yield result.value;
    }
  } finally {
    if (!isDone) await current.run(request, async () => await iterator.return?.());
  }
}
