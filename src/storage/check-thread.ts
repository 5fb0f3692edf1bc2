/** @file Thread that checks one data folder's database and ends. Started by check-database.ts. A restored one may have an older schema. */
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { checkIntegrity } from "./check-integrity.ts";
import { openConnection } from "./connection.ts";

const connection = openConnection(path.join(workerData as string, "box.db"), { readOnly: true });
const found = checkIntegrity(connection);
connection.close();
parentPort?.postMessage(found);
