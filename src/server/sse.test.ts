import { expect, test } from "vitest";
import { dataEvent, eventStream } from "./sse.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("comments keep a quiet stream alive; items come in order; a fault is the last event", async () => {
  async function* source(): AsyncIterable<string> {
    await sleep(70);
    yield dataEvent(1);
    yield dataEvent(2);
    throw new Error("broken");
  }
  const response = eventStream({ source: source(), leave: () => undefined, failed: (error) => dataEvent((error as Error).message), keepAliveMs: 20 });
  const parts = (await response.text()).split("\n\n").filter((part) => part !== "");
  expect(parts.filter((part) => part === ": keep-alive").length).toBeGreaterThanOrEqual(2);
  expect(parts.slice(-3)).toEqual(["data: 1", "data: 2", 'data: "broken"']);
});

test("a reader that takes its time holds the source back; one that leaves ends it", async () => {
  let made = 0;
  let ended = false;
  let left = 0;
  async function* source(): AsyncIterable<string> {
    try {
      for (;;) {
        made++;
        yield dataEvent(made);
      }
    } finally {
      ended = true;
    }
  }
  const reader = eventStream({ source: source(), leave: () => void left++, failed: String }).body?.getReader();
  await reader?.read();
  await sleep(30);
  expect(made).toBeLessThanOrEqual(2);
  await reader?.cancel();
  expect([ended, left]).toEqual([true, 1]);
});
