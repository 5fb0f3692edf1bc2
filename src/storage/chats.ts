/** @file Rows of chats, their turns, and answers with their lineage. */
import type { Answer, ChatInfo, ChatTurn } from "#contracts";
import type { Connection } from "./connection.ts";

export type ChatRow = ChatInfo & { readonly personId: string | null /** Last turn of the newest branch. */; readonly headTurnId: string | null };

/** `open`: still being written; the box closes what a crash left open. */
export type TurnRow = ChatTurn & {
  readonly chatId: string;
  readonly correctionReason: string | null;
  readonly answerId: string | null;
  readonly open: boolean;
};

const chatColumns = `id, person_id AS personId, title, kb_ids AS kbIds, model, head_turn_id AS headTurnId, created_at AS createdAt, updated_at AS updatedAt`;
const turnColumns = `id, chat_id AS chatId, parent_id AS parentId, role, content, citations, refused, nearest, rating, correction, correction_reason AS correctionReason,
  model, error, answer_id AS answerId, open, created_at AS createdAt`;

type Stored<T> = { [K in keyof T]: unknown };
const text = (value: unknown): string => value as string;
const readChat = (row: Stored<ChatRow>): ChatRow => ({ ...(row as unknown as ChatRow), kbIds: JSON.parse(text(row.kbIds)) });
const readTurn = (row: Stored<TurnRow>): TurnRow => ({
  ...(row as unknown as TurnRow),
  citations: JSON.parse(text(row.citations)),
  nearest: JSON.parse(text(row.nearest)),
  error: row.error === null ? null : JSON.parse(text(row.error)),
  refused: row.refused === 1,
  open: row.open === 1,
});

export type ChatRepository = ReturnType<typeof createChatRepository>;

export function createChatRepository(connection: Connection) {
  const findTurn = (id: string): TurnRow | undefined => {
    const row = connection.get<Stored<TurnRow>>(`SELECT ${turnColumns} FROM turns WHERE id = ?`, id);
    return row === undefined ? undefined : readTurn(row);
  };
  const findChat = (id: string): ChatRow | undefined => {
    const row = connection.get<Stored<ChatRow>>(`SELECT ${chatColumns} FROM chats WHERE id = ?`, id);
    return row === undefined ? undefined : readChat(row);
  };
  return {
    /** A person's chats, newest first; null: the operator's. */
    list: (personId: string | null): readonly ChatRow[] =>
      connection.all<Stored<ChatRow>>(`SELECT ${chatColumns} FROM chats WHERE person_id IS ? ORDER BY updated_at DESC`, personId).map(readChat),
    find: findChat,
    insert: (row: ChatRow) =>
      connection.run(
        "INSERT INTO chats (id, person_id, title, kb_ids, model, head_turn_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        row.id,
        row.personId,
        row.title,
        JSON.stringify(row.kbIds),
        row.model,
        row.headTurnId,
        row.createdAt,
        row.updatedAt,
      ),
    update(id: string, patch: Partial<Pick<ChatRow, "title" | "kbIds" | "model" | "headTurnId" | "updatedAt">>) {
      const row = findChat(id);
      if (row === undefined) return;
      const next = { ...row, ...patch };
      connection.run(
        "UPDATE chats SET title = ?, kb_ids = ?, model = ?, head_turn_id = ?, updated_at = ? WHERE id = ?",
        next.title,
        JSON.stringify(next.kbIds),
        next.model,
        next.headTurnId,
        next.updatedAt,
        id,
      );
    },
    remove: (id: string) => connection.run("DELETE FROM chats WHERE id = ?", id).changes > 0,
    findTurn,
    /** Every turn of every branch, oldest first. */
    listTurns: (chatId: string): readonly TurnRow[] =>
      connection.all<Stored<TurnRow>>(`SELECT ${turnColumns} FROM turns WHERE chat_id = ? ORDER BY created_at, rowid`, chatId).map(readTurn),
    /** From the first turn to this one. */
    readBranch(turnId: string): readonly TurnRow[] {
      const branch: TurnRow[] = [];
      for (let turn = findTurn(turnId); turn !== undefined; turn = turn.parentId === null ? undefined : findTurn(turn.parentId)) branch.unshift(turn);
      return branch;
    },
    insertTurn: (row: TurnRow) =>
      connection.run(
        `INSERT INTO turns (id, chat_id, parent_id, role, content, citations, refused, nearest, rating, correction, correction_reason, model, error, answer_id, open, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        row.id,
        row.chatId,
        row.parentId,
        row.role,
        row.content,
        JSON.stringify(row.citations),
        row.refused ? 1 : 0,
        JSON.stringify(row.nearest),
        row.rating,
        row.correction,
        row.correctionReason,
        row.model,
        row.error === null ? null : JSON.stringify(row.error),
        row.answerId,
        row.open ? 1 : 0,
        row.createdAt,
      ),
    updateTurn(id: string, patch: Partial<Omit<TurnRow, "id" | "chatId" | "parentId" | "role" | "createdAt">>) {
      const row = findTurn(id);
      if (row === undefined) return;
      const next = { ...row, ...patch };
      connection.run(
        `UPDATE turns SET content = ?, citations = ?, refused = ?, nearest = ?, rating = ?, correction = ?, correction_reason = ?, model = ?, error = ?, answer_id = ?, open = ? WHERE id = ?`,
        next.content,
        JSON.stringify(next.citations),
        next.refused ? 1 : 0,
        JSON.stringify(next.nearest),
        next.rating,
        next.correction,
        next.correctionReason,
        next.model,
        next.error === null ? null : JSON.stringify(next.error),
        next.answerId,
        next.open ? 1 : 0,
        id,
      );
    },
    /** After a crash: turns nobody is writing any more. */
    closeOpenTurns: (error: { readonly code: string; readonly message: string }) =>
      connection.run("UPDATE turns SET open = 0, error = ? WHERE open = 1", JSON.stringify(error)).changes,
  };
}

export type AnswerRow = {
  readonly id: string;
  readonly personId: string | null;
  readonly kbIds: readonly string[];
  readonly answer: Answer;
  readonly createdAt: string;
};

export type AnswerRepository = ReturnType<typeof createAnswerRepository>;

export function createAnswerRepository(connection: Connection) {
  return {
    insert: (row: AnswerRow) =>
      connection.run(
        "INSERT INTO answers (id, person_id, kb_ids, question, origin, refused, answer, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        row.id,
        row.personId,
        JSON.stringify(row.kbIds),
        row.answer.question,
        row.answer.origin,
        row.answer.refused ? 1 : 0,
        JSON.stringify(row.answer),
        row.createdAt,
      ),
    find(id: string): AnswerRow | undefined {
      const row = connection.get<{ id: string; personId: string | null; kbIds: string; answer: string; createdAt: string }>(
        "SELECT id, person_id AS personId, kb_ids AS kbIds, answer, created_at AS createdAt FROM answers WHERE id = ?",
        id,
      );
      return row === undefined ? undefined : { ...row, kbIds: JSON.parse(row.kbIds), answer: JSON.parse(row.answer) };
    },
  };
}
