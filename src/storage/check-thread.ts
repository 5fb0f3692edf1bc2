/** @file Thread that checks one data folder's database and ends. Started by check-database.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { openStorage } from "./open.ts";

const storage = openStorage(workerData as string, { readOnly: true });
const found = storage.checkIntegrity();
storage.close();
parentPort?.postMessage(found);
