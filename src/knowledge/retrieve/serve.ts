/** @file The thread's side: takes messages, runs the engine, answers. The connection lives and dies here. */
import type { MessagePort } from "node:worker_threads";
import { type ErrorRecord, toErrorRecord } from "#base";
import { type RankDone, RetrievalEngine, type WordsDone, type WordsRequest } from "./engine.ts";
import type { IndexReader } from "./reader.ts";

export type ToThread =
  | { readonly type: "words"; readonly id: number; readonly request: WordsRequest }
  | { readonly type: "rank"; readonly id: number; readonly vector: Float32Array | null; readonly limit: number }
  | { readonly type: "drop"; readonly id: number }
  | { readonly type: "close" };

export type FromThread =
  | { readonly type: "words"; readonly id: number; readonly done: WordsDone }
  | { readonly type: "rank"; readonly id: number; readonly done: RankDone }
  | { readonly type: "failed"; readonly id: number; readonly error: ErrorRecord };

export function serveRetrieval(port: MessagePort, openReader: () => IndexReader): void {
  const reader = openReader();
  const engine = new RetrievalEngine(reader);
  const send = (message: FromThread): void => port.postMessage(message);
  port.on("message", (message: ToThread) => {
    if (message.type === "close") {
      reader.close();
      port.close();
      return;
    }
    try {
      if (message.type === "words") send({ type: "words", id: message.id, done: engine.findWords(message.id, message.request) });
      else if (message.type === "rank") send({ type: "rank", id: message.id, done: engine.rank(message.id, message.vector, message.limit) });
      else engine.drop(message.id);
    } catch (error) {
      engine.drop(message.id);
      send({ type: "failed", id: message.id, error: toErrorRecord(error) });
    }
  });
}
