/** @file Lets go of what is older than the house keeps it; what a hold keeps stays and is counted. */
import fs from "node:fs";
import path from "node:path";
import type { Actor, RetentionPolicy, RetentionReport } from "#contracts";
import type { PrivacyRepository } from "#storage";
import type { Held, Holds } from "./holds.ts";

export type RetentionParts = {
  readonly store: PrivacyRepository;
  readonly holds: Holds;
  readonly policy: () => RetentionPolicy;
  readonly dataDir: string;
  readonly removeDocument: (documentId: string) => Promise<void>;
  readonly pruneAudit: (before: string, by: Actor) => number;
  readonly removeUsageBefore: (day: string) => number;
  readonly checkpoint: () => boolean;
  readonly dayOf: (ms: number) => string;
  readonly now: () => number;
};

const dayMs = 86_400_000;

export async function runRetention(parts: RetentionParts, by: Actor): Promise<RetentionReport> {
  const { store, holds, now } = parts;
  const policy = parts.policy();
  const before = (days: number): string => new Date(now() - days * dayMs).toISOString();
  let held = 0;
  const free = <T>(items: readonly T[], thing: (item: T) => Held): readonly T[] => {
    const left = items.filter((item) => holds.over(thing(item)) === null);
    held += items.length - left.length;
    return left;
  };
  const removed = { chats: 0, answers: 0, gaps: 0, documents: 0, logLines: 0, auditRows: 0, usageRows: 0 };
  if (policy.historyDays !== null) {
    const at = before(policy.historyDays);
    const chats = free(store.listChatsBefore(at), ({ id, personId }) => ({ chatId: id, personId })).map(({ id }) => id);
    store.removeChats(chats);
    const answers = free(store.listAnswersBefore(at), ({ personId }) => ({ personId })).map(({ id }) => id);
    store.removeAnswers(answers);
    const gaps = free(store.listGapsBefore(at), ({ kbId }) => ({ kbId })).map(({ id }) => id);
    store.removeGaps(gaps);
    Object.assign(removed, { chats: chats.length, answers: answers.length, gaps: gaps.length });
  }
  if (policy.uploadsDays !== null) {
    for (const { id } of free(store.listDocumentsBefore(before(policy.uploadsDays)), (item) => ({
      documentId: item.id,
      kbId: item.kbId,
      personId: item.personId,
    }))) {
      await parts.removeDocument(id);
      removed.documents++;
    }
  }
  const everything = holds.over({}) !== null;
  if (policy.logsDays !== null && !everything)
    removed.logLines = removeLogLines(parts.dataDir, (line) => timeOf(line) < now() - (policy.logsDays ?? 0) * dayMs);
  if (policy.auditDays !== null && !everything) removed.auditRows = parts.pruneAudit(before(policy.auditDays), by);
  if (policy.usageDays !== null && !everything) removed.usageRows = parts.removeUsageBefore(parts.dayOf(now() - policy.usageDays * dayMs));
  if (Object.values(removed).some((count) => count > 0)) parts.checkpoint();
  return { at: new Date(now()).toISOString(), removed, held };
}

/** Log lines are JSON with their time; a line without one is as old as the next. */
function timeOf(line: string): number {
  const time = Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? "");
  return Number.isNaN(time) ? 0 : time;
}

/** In place and in one turn: the writer appends to the same file. Returns how many lines went. */
export function removeLogLines(dataDir: string, isUnwanted: (line: string) => boolean): number {
  const folder = path.join(dataDir, "logs");
  let count = 0;
  for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
    const file = path.join(folder, name);
    if (!/\.(log|jsonl)$/.test(name) || !fs.statSync(file).isFile()) continue;
    const lines = fs.readFileSync(file, "utf8").split("\n");
    const kept = lines.filter((line) => line === "" || !isUnwanted(line));
    if (kept.length === lines.length) continue;
    count += lines.length - kept.length;
    fs.writeFileSync(file, kept.join("\n"), { flag: "r+" });
    fs.truncateSync(file, Buffer.byteLength(kept.join("\n")));
  }
  return count;
}
