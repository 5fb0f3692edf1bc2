/** @file Thread that cuts a few texts into index words and ends. Started by file-reader.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { segment } from "../text/index.ts";

const { texts, houseWords } = workerData as { texts: readonly string[]; houseWords: readonly string[] };
parentPort?.postMessage(texts.map((text) => segment(text, { words: houseWords }).join(" ")));
