/** @file Rows of holds and erasures; what is due by age; one person's rows as a whole, read out and taken away. */
import type { Hold, HoldKind } from "#contracts";
import type { Connection } from "./connection.ts";
import { erasePersonRows, exportPersonRows, findTraces } from "./person-rows.ts";

const holdColumns = "id, kind, subject, reason, created_at AS createdAt, released_at AS releasedAt";

export type PrivacyRepository = ReturnType<typeof createPrivacyRepository>;

export function createPrivacyRepository(connection: Connection) {
  return {
    listHolds: (): readonly Hold[] => connection.all<Hold>(`SELECT ${holdColumns} FROM holds ORDER BY released_at IS NOT NULL, created_at DESC`),
    openHolds: (): readonly Hold[] => connection.all<Hold>(`SELECT ${holdColumns} FROM holds WHERE released_at IS NULL`),
    insertHold: (hold: Hold) =>
      connection.run(
        "INSERT INTO holds (id, kind, subject, reason, created_at) VALUES (?, ?, ?, ?, ?)",
        hold.id,
        hold.kind,
        hold.subject,
        hold.reason,
        hold.createdAt,
      ),
    releaseHold: (id: string, at: string): boolean =>
      connection.run("UPDATE holds SET released_at = ? WHERE id = ? AND released_at IS NULL", at, id).changes > 0,
    /** Whether what a hold names is there. */
    exists(kind: HoldKind, subject: string): boolean {
      if (kind === "everything") return subject === "";
      const table = { person: "people", base: "kbs", document: "documents", chat: "chats" }[kind];
      return connection.get(`SELECT 1 FROM ${table} WHERE id = ?`, subject) !== undefined;
    },
    /** Chats not touched since a moment, with whose they are. */
    listChatsBefore: (at: string): readonly { readonly id: string; readonly personId: string | null }[] =>
      connection.all("SELECT id, person_id AS personId FROM chats WHERE updated_at < ?", at),
    /** Answers older than a moment; those that kept chats point to go with the chats. */
    listAnswersBefore: (at: string): readonly { readonly id: string; readonly personId: string | null }[] =>
      connection.all(
        "SELECT id, person_id AS personId FROM answers WHERE created_at < ? AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.answer_id = answers.id)",
        at,
      ),
    listGapsBefore: (at: string): readonly { readonly id: string; readonly kbId: string }[] =>
      connection.all("SELECT g.id, k.id AS kbId FROM gaps g JOIN kbs k ON k.num = g.kb WHERE g.last_asked_at < ?", at),
    listDocumentsBefore: (at: string): readonly { readonly id: string; readonly kbId: string; readonly personId: string | null }[] =>
      connection.all(
        "SELECT d.id, k.id AS kbId, d.added_by AS personId FROM documents d JOIN kbs k ON k.num = d.kb WHERE d.updated_at < ? AND d.parent IS NULL",
        at,
      ),
    removeChats: (ids: readonly string[]): void => removeAll(connection, "chats", ids),
    removeAnswers: (ids: readonly string[]): void => removeAll(connection, "answers", ids),
    removeGaps: (ids: readonly string[]): void => removeAll(connection, "gaps", ids),
    /** Chats and documents with their base, for a hold that is asked about one of them. */
    chatOwner: (id: string): string | null =>
      connection.get<{ personId: string | null }>("SELECT person_id AS personId FROM chats WHERE id = ?", id)?.personId ?? null,
    documentPlace: (id: string): { readonly kbId: string; readonly personId: string | null } | undefined =>
      connection.get("SELECT k.id AS kbId, d.added_by AS personId FROM documents d JOIN kbs k ON k.num = d.kb WHERE d.id = ?", id),
    documentAt: (kbId: string, path: string): string | undefined =>
      connection.get<{ id: string }>("SELECT d.id FROM documents d JOIN kbs k ON k.num = d.kb WHERE k.id = ? AND d.path = ?", kbId, path)?.id,
    chunkDocument: (chunkId: number): string | undefined =>
      connection.get<{ id: string }>("SELECT d.id FROM chunks c JOIN documents d ON d.num = c.document WHERE c.id = ?", chunkId)?.id,
    documentIds: (kbId: string): readonly string[] =>
      connection.all<{ id: string }>("SELECT d.id FROM documents d JOIN kbs k ON k.num = d.kb WHERE k.id = ?", kbId).map((row) => row.id),
    /** Every turn, answer and open question, page by page, for masks over what is there already. */
    turnIds: (after: string): readonly string[] =>
      connection.all<{ id: string }>("SELECT id FROM turns WHERE id > ? ORDER BY id LIMIT 500", after).map((row) => row.id),
    answerIds: (after: string): readonly string[] =>
      connection.all<{ id: string }>("SELECT id FROM answers WHERE id > ? ORDER BY id LIMIT 500", after).map((row) => row.id),
    writeAnswer: (id: string, question: string, answer: string) =>
      connection.run("UPDATE answers SET question = ?, answer = ? WHERE id = ?", question, answer, id),
    chatTitles: (): readonly { readonly id: string; readonly title: string }[] => connection.all("SELECT id, title FROM chats"),
    gapIds: (): readonly string[] => connection.all<{ id: string }>("SELECT id FROM gaps").map((row) => row.id),
    findPerson: (idOrEmail: string): { readonly id: string; readonly name: string; readonly email: string } | undefined =>
      connection.get("SELECT id, name, email FROM people WHERE id = ? OR email = lower(?)", idOrEmail, idOrEmail),
    /** True when rows still name somebody who was removed before. */
    isKnown: (personId: string): boolean =>
      ["chats", "answers"].some((table) => connection.get(`SELECT 1 FROM ${table} WHERE person_id = ? LIMIT 1`, personId) !== undefined) ||
      connection.get("SELECT 1 FROM usage WHERE person = ? LIMIT 1", personId) !== undefined,
    exportPerson: (personId: string) => exportPersonRows(connection, personId),
    erasePerson: (personId: string, words: readonly string[]) => erasePersonRows(connection, personId, words),
    /** Tables that still hold one of the words, and how many documents' texts do. */
    findTraces: (words: readonly string[]) => findTraces(connection, words),
    insertErasure: (id: string, at: string, report: string) =>
      connection.run("INSERT INTO erasures (id, at, report) VALUES (?, ?, ?)", id, at, report),
    listErasures: (): readonly string[] =>
      connection.all<{ report: string }>("SELECT report FROM erasures ORDER BY at DESC").map((row) => row.report),
  };
}

function removeAll(connection: Connection, table: "chats" | "answers" | "gaps", ids: readonly string[]): void {
  connection.transaction(() => {
    for (const id of ids) connection.run(`DELETE FROM ${table} WHERE id = ?`, id);
  });
}
