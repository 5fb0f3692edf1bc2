import { expect, test } from "vitest";
import type { ChatPart, QueuePlace } from "#contracts";
import { tellingWaits, withQueue } from "./queue-parts.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const text = (words: string): ChatPart => ({ type: "text-delta", text: words });

test("places come out while the answer still waits, before its text; the newest counts", async () => {
  const parts: (ChatPart & { at?: number })[] = [];
  let begin = (): void => {};
  const held = new Promise<void>((resolve) => {
    begin = resolve;
  });
  for await (const part of withQueue(async function* (onWait) {
    onWait({ position: 3, etaSeconds: 9 });
    onWait({ position: 2, etaSeconds: 6 });
    setTimeout(() => onWait({ position: 1, etaSeconds: 3 }), 20);
    await held;
    onWait({ position: 0, etaSeconds: 0 });
    await pause(5);
    yield text("a");
    yield text("b");
  })) {
    parts.push(part);
    if (part.type === "queued" && part.position === 1) begin();
  }
  expect(parts).toEqual([
    { type: "queued", position: 2, etaSeconds: 6 },
    { type: "queued", position: 1, etaSeconds: 3 },
    { type: "queued", position: 0, etaSeconds: 0 },
    text("a"),
    text("b"),
  ]);
});

test("errors pass; a reader that leaves ends the source; nothing is left unhandled", async () => {
  await expect(async () => {
    // biome-ignore lint/correctness/useYield: it fails before its first part
    for await (const _ of withQueue(async function* () {
      throw new Error("broken");
    }));
  }).rejects.toThrow("broken");
  let ended = false;
  const leave = new AbortController();
  const source = withQueue(async function* (onWait) {
    try {
      onWait({ position: 1, etaSeconds: null });
      await new Promise((_, reject) => leave.signal.addEventListener("abort", () => reject(new Error("left"))));
      yield text("never");
    } finally {
      ended = true;
    }
  });
  expect((await source.next()).value).toMatchObject({ type: "queued" });
  leave.abort();
  await source.return(undefined);
  expect(ended).toBe(true);
});

test("a model asked through it passes the listener on and stays itself", async () => {
  const places: QueuePlace[] = [];
  const model = tellingWaits(
    {
      id: "m",
      contextTokens: 7,
      async *stream({ onWait }) {
        onWait?.({ position: 4, etaSeconds: null });
        yield { type: "start" };
      },
      countTokens: async () => 1,
    },
    (place) => places.push(place),
  );
  for await (const _ of model.stream({ input: { prompt: "" } }));
  expect([model.id, model.contextTokens, await model.countTokens(""), places]).toEqual(["m", 7, 1, [{ position: 4, etaSeconds: null }]]);
});
