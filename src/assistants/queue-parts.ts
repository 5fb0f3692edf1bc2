/** @file The place in a model's queue, told between the parts of an answer that waits for it. */
import type { ChatPart, LanguageModel, QueuePlace } from "#contracts";

export type OnWait = (place: QueuePlace) => void;

/** The same model; whoever waits for it is told through `onWait`. */
export function tellingWaits(model: LanguageModel, onWait: OnWait): LanguageModel {
  const { scoreContinuations } = model;
  return {
    id: model.id,
    contextTokens: model.contextTokens,
    stream: (request) => model.stream({ ...request, onWait }),
    countTokens: (text) => model.countTokens(text),
    ...(scoreContinuations === undefined ? {} : { scoreContinuations: scoreContinuations.bind(model) }),
  };
}

/** Passes the parts on, and in between, as soon as it is known, how long the line is. */
export async function* withQueue(run: (onWait: OnWait) => AsyncIterable<ChatPart>): AsyncGenerator<ChatPart> {
  let place: QueuePlace | null = null;
  let wake = (): void => {};
  const parts = run((now) => {
    place = now;
    wake();
  })[Symbol.asyncIterator]();
  let next = parts.next();
  try {
    for (;;) {
      const news = new Promise<null>((resolve) => {
        wake = () => resolve(null);
      });
      const known = place as QueuePlace | null;
      place = null;
      if (known !== null) yield { type: "queued", ...known };
      else {
        const result = await Promise.race([next, news]);
        if (result === null) continue;
        if (result.done === true) return;
        yield result.value;
        next = parts.next();
      }
    }
  } finally {
    next.catch(() => {}); // the reader left while it was awaited
    await parts.return?.();
  }
}
