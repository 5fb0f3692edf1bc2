/** @file Entry of the retrieval thread. Which store it reads comes as a module's address: this room does not know storage. */
import { parentPort, workerData } from "node:worker_threads";
import type { IndexReader } from "./reader.ts";
import { serveRetrieval } from "./serve.ts";

type ThreadData = { readonly dataDir: string; readonly readerModule: string };

const { dataDir, readerModule } = workerData as ThreadData;
const { openIndexReader } = (await import(readerModule)) as { readonly openIndexReader: (dataDir: string) => IndexReader };
if (parentPort !== null) serveRetrieval(parentPort, () => openIndexReader(dataDir));
