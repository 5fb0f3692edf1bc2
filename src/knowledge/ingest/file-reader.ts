/** @file The parse pool as ingest uses it, and words for single texts from a short-lived thread: the dictionary never stays in the box. */
import { Worker } from "node:worker_threads";
import { StarboxError, toErrorRecord } from "#base";
import type { ParsePool } from "../parse/index.ts";
import type { FileReader } from "./deps.ts";

const entry = new URL(import.meta.url.endsWith(".ts") ? "./cut-words-thread.ts" : "./cut-words-thread.js", import.meta.url);

export function createFileReader(pool: ParsePool): FileReader {
  return {
    async read({ filePath, name, depth, houseWords, signal }) {
      return await pool.parse(filePath, name, signal, { depth }, houseWords);
    },
    async cutWords(texts, houseWords) {
      return await new Promise<readonly string[]>((resolve, reject) => {
        const worker = new Worker(entry, { workerData: { texts, houseWords }, execArgv: ["--conditions=starbox-source"] });
        worker.once("message", resolve);
        worker.once("error", (error) => reject(new StarboxError("internal", `Words could not be cut: ${toErrorRecord(error).message}`)));
        worker.once("exit", (code) => reject(new StarboxError("internal", `Words could not be cut: the thread ended with ${code}.`)));
      });
    },
    close: async () => await pool.close(),
  };
}
