/** @file Server-sent events from an async iterable: back-pressure, comments while nothing comes, the source stopped when the client leaves. */

export type EventSource = {
  /** One item as the text after `data: `; null sends nothing. */
  readonly source: AsyncIterable<string>;
  /** Called when the client leaves; must make the source end. */
  readonly leave: () => void;
  /** The last event when the source throws. */
  readonly failed: (error: unknown) => string;
  readonly keepAliveMs?: number;
};

export function eventStream({ source, leave, failed, keepAliveMs = 10_000 }: EventSource): Response {
  const encoder = new TextEncoder();
  const iterator = source[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<string>> | undefined;
  let left = false;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        pending ??= iterator.next();
        let timer: NodeJS.Timeout | undefined;
        const quiet = new Promise<"quiet">((resolve) => {
          timer = setTimeout(() => resolve("quiet"), keepAliveMs);
        });
        try {
          const result = await Promise.race([pending, quiet]);
          if (left) return;
          if (result === "quiet") return controller.enqueue(encoder.encode(": keep-alive\n\n"));
          pending = undefined;
          if (result.done === true) return controller.close();
          controller.enqueue(encoder.encode(result.value));
        } catch (error) {
          if (left) return;
          controller.enqueue(encoder.encode(failed(error)));
          controller.close();
        } finally {
          clearTimeout(timer);
        }
      },
      async cancel() {
        left = true;
        leave();
        await iterator.return?.().catch(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      connection: "keep-alive",
    },
  });
}

export const dataEvent = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
export const namedEvent = (name: string, value: unknown): string => `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;

/** Aborted when the client leaves or the server closes. Dispose when the request is over. */
export function requestSignal(...signals: readonly (AbortSignal | undefined)[]): { readonly signal: AbortSignal; abort(): void } {
  const controller = new AbortController();
  const own = signals.filter((signal) => signal !== undefined);
  return { signal: AbortSignal.any([controller.signal, ...own]), abort: () => controller.abort() };
}
