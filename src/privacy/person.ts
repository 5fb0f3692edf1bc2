/** @file One person's data as a whole: exported, and erased with a report that says what stays and proves that nothing else does. */
import fs from "node:fs";
import path from "node:path";
import { newId, StarboxError } from "#base";
import type { Actor, AuditEntry, ErasureReport } from "#contracts";
import type { PrivacyRepository } from "#storage";
import type { Holds } from "./holds.ts";
import { removeLogLines } from "./retention.ts";

export type PersonParts = {
  readonly store: PrivacyRepository;
  readonly holds: Holds;
  readonly dataDir: string;
  readonly transaction: <T>(work: () => T) => T;
  readonly checkpoint: () => boolean;
  readonly auditOf: (personId: string) => Iterable<AuditEntry>;
  readonly eraseAudit: (personId: string, words: readonly string[], by: Actor) => number;
  /** Called before anything is erased: throws when nobody would be left to administer. */
  readonly needOther: (personId: string) => void;
  /** Whatever runs for the person stops. */
  readonly ended: (personId: string) => void;
  readonly backups: () => Promise<number>;
  readonly now: () => number;
};

type Person = { readonly id: string; readonly name: string; readonly email: string | null };

export function findPerson(store: PrivacyRepository, idOrEmail: string): Person {
  const found = store.findPerson(idOrEmail);
  if (found !== undefined) return found;
  // Removed from the list of people before; their rows may still be here.
  if (store.isKnown(idOrEmail)) return { id: idOrEmail, name: "", email: null };
  throw new StarboxError("not_found", `No person "${idOrEmail}".`, {
    hint: "Give an id or an e-mail address; GET /api/people lists them.",
    zh: { message: `没有成员“${idOrEmail}”。`, hint: "请给出编号或邮箱；GET /api/people 可列出所有成员。" },
  });
}

export async function* exportPerson(parts: PersonParts, person: Person): AsyncGenerator<string> {
  for (const line of parts.store.exportPerson(person.id)) yield JSON.stringify(line);
  for (const row of parts.auditOf(person.id)) yield JSON.stringify({ table: "audit", row });
}

export async function erasePerson(parts: PersonParts, person: Person, by: Actor): Promise<ErasureReport> {
  const { store, now } = parts;
  parts.holds.needFree({ personId: person.id });
  parts.needOther(person.id);
  const words = [...(person.email === null ? [] : [person.email])];
  const names = person.name === "" ? [] : [person.name];
  // Rows of the database go together or not at all; the audit log's line about it is among them.
  const { rows, auditRows } = parts.transaction(() => ({
    rows: store.erasePerson(person.id, words),
    auditRows: parts.eraseAudit(person.id, [...words, ...names.map((name) => `"name":${JSON.stringify(name)}`)], by),
  }));
  parts.ended(person.id);
  const logLines = removeLogLines(parts.dataDir, (line) => [person.id, ...words].some((word) => line.includes(word)));
  for (let i = 0; i < 20 && !parts.checkpoint(); i++) await new Promise((resolve) => setTimeout(resolve, 100));
  const traces = store.findTraces([person.id, ...words]);
  const backups = await parts.backups();
  const report: ErasureReport = {
    id: newId("erasure", now()),
    at: new Date(now()).toISOString(),
    erased: { ...rows, ...(auditRows > 0 ? { audit: auditRows } : {}), ...(logLines > 0 ? { logs: logLines } : {}) },
    kept: [
      ...(auditRows > 0
        ? [
            {
              what: "audit",
              count: auditRows,
              why: "The rows stay, without the person: the chain must not break.",
              zh: "审计行保留，但已去除个人信息，以保证链条完整。",
            },
          ]
        : []),
      ...(traces.documents > 0
        ? [
            {
              what: "documents",
              count: traces.documents,
              why: "Documents of the house that mention the address; remove them in their knowledge base.",
              zh: "单位的资料中提到了该邮箱，如需删除请在知识库中处理。",
            },
          ]
        : []),
      ...(backups > 0
        ? [
            {
              what: "backups",
              count: backups,
              why: "Backups made before still hold the person until they are rotated out.",
              zh: "此前的备份在轮换删除之前仍包含此人的数据。",
            },
          ]
        : []),
    ],
    traces: [...traces.tables, ...filesWith(parts.dataDir, [person.id, ...words])],
  };
  store.insertErasure(report.id, report.at, JSON.stringify(report));
  return report;
}

const skipped = new Set(["models", "blobs", "backups", "tmp"]);

/** Files of the data folder, byte for byte: the database with its log, logs, notes. Blobs are documents. */
function filesWith(dataDir: string, words: readonly string[]): readonly string[] {
  const found: string[] = [];
  const look = (folder: string): void => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!(folder === dataDir && skipped.has(entry.name))) look(file);
      } else if (entry.isFile() && hasWord(file, words)) found.push(path.relative(dataDir, file));
    }
  };
  look(dataDir);
  return found;
}

const pieceBytes = 4 << 20;

function hasWord(file: string, words: readonly string[]): boolean {
  const handle = fs.openSync(file, "r");
  try {
    const longest = Math.max(...words.map((word) => Buffer.byteLength(word)));
    const buffer = Buffer.alloc(pieceBytes + longest);
    for (let at = 0; ; at += pieceBytes) {
      const read = fs.readSync(handle, buffer, 0, buffer.length, at);
      if (read === 0) return false;
      const piece = buffer.subarray(0, read);
      if (words.some((word) => piece.includes(word))) return true;
    }
  } finally {
    fs.closeSync(handle);
  }
}
