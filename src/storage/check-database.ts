/** @file The integrity check in a thread of its own: it reads the whole database, and the box has people to answer meanwhile. */
import { Worker } from "node:worker_threads";

const entry = new URL(import.meta.url.endsWith(".ts") ? "./check-thread.ts" : "./check-thread.js", import.meta.url);

/** "ok", or what is wrong. Never throws: a database that cannot even be opened is an answer. */
export async function checkDatabase(dataDir: string): Promise<string> {
  return await new Promise<string>((resolve) => {
    const worker = new Worker(entry, { workerData: dataDir, execArgv: ["--conditions=starbox-source", "--disable-warning=ExperimentalWarning"] });
    worker.once("message", resolve);
    worker.once("error", (error) => resolve((error as Error).message));
    worker.once("exit", (code) => resolve(`the check ended with ${code}`));
  });
}
