/** @file Turns of a chat: how rows look to people, which branch a question joins, and what the conversation so far says. */
import { StarboxError, toErrorRecord } from "#base";
import type { Actor, ChatInfo, ChatMessage, ChatTurn } from "#contracts";
import type { ChatRow, TurnRow } from "#storage";
import { type AssistantsDeps, isWithheld, ownerOf, stamp, withheldText } from "./deps.ts";

export const presentTurn = ({ chatId: _chat, correctionReason: _reason, answerId: _answer, open: _open, ...turn }: TurnRow): ChatTurn => turn;
export const presentChat = ({ personId: _person, headTurnId: _head, ...chat }: ChatRow): ChatInfo => chat;

function missing(what: string, zh: string, id: string): StarboxError {
  return new StarboxError("not_found", `There is no ${what} ${id}.`, {
    hint: "List your chats for what there is.",
    zh: { message: `没有${zh} ${id}。`, hint: "请在对话列表中查看。" },
  });
}

/** A person's own chat, or not_found. */
export function ownChat(deps: AssistantsDeps, actor: Actor, chatId: string): ChatRow {
  const row = deps.storage.chats.find(chatId);
  if (row === undefined || row.personId !== ownerOf(actor)) throw missing("chat", "对话", chatId);
  return row;
}

export function ownTurn(deps: AssistantsDeps, actor: Actor, turnId: string): TurnRow {
  const row = deps.storage.chats.findTurn(turnId);
  const chat = row === undefined ? undefined : deps.storage.chats.find(row.chatId);
  if (row === undefined || chat?.personId !== ownerOf(actor)) throw missing("turn", "消息", turnId);
  return row;
}

/** An old answer says nothing of documents that may no longer be read. */
export function withhold(deps: AssistantsDeps, actor: Actor, turn: TurnRow): TurnRow {
  if (!isWithheld(deps, actor, [...turn.citations, ...turn.nearest])) return turn;
  return { ...turn, content: withheldText, citations: [], nearest: [], correction: null };
}

export type AskInput = { readonly content?: string; readonly replaceTurnId?: string; readonly retryTurnId?: string };

/** The user's turn to answer: a new one, an edited one on a new branch, or an old one answered again. Not yet stored when `isNew`. */
export function userTurnFor(deps: AssistantsDeps, chat: ChatRow, input: AskInput): { readonly turn: TurnRow; readonly isNew: boolean } {
  const inChat = (id: string): TurnRow => {
    const turn = deps.storage.chats.findTurn(id);
    if (turn === undefined || turn.chatId !== chat.id) throw missing("turn", "消息", id);
    return turn;
  };
  if (input.retryTurnId !== undefined) {
    const turn = inChat(input.retryTurnId);
    if (turn.role === "user") return { turn, isNew: false };
    if (turn.parentId === null) throw missing("question before turn", "该消息之前的提问", turn.id);
    return { turn: inChat(turn.parentId), isNew: false };
  }
  const content = input.content?.trim() ?? "";
  if (content === "")
    throw new StarboxError("invalid_input", "A question needs text.", {
      hint: "Write a question.",
      zh: { message: "问题不能为空。", hint: "请输入问题。" },
    });
  let parentId = chat.headTurnId;
  if (input.replaceTurnId !== undefined) {
    const replaced = inChat(input.replaceTurnId);
    if (replaced.role !== "user")
      throw new StarboxError("invalid_input", "Only a question can be edited; an answer is corrected or asked again.", {
        zh: { message: "只能修改提问；回答可以更正或重新生成。" },
      });
    parentId = replaced.parentId;
  }
  return { turn: newTurn(deps, chat.id, parentId, "user", content), isNew: true };
}

export function newTurn(deps: AssistantsDeps, chatId: string, parentId: string | null, role: "user" | "assistant", content: string): TurnRow {
  return {
    id: deps.newId("turn"),
    chatId,
    parentId,
    role,
    content,
    citations: [],
    refused: false,
    nearest: [],
    rating: null,
    correction: null,
    correctionReason: null,
    model: null,
    error: null,
    answerId: null,
    open: role === "assistant",
    createdAt: stamp(deps),
  };
}

/** What was said up to a turn, oldest first; broken answers left out, corrections in the place of what they correct. */
export function conversation(deps: AssistantsDeps, actor: Actor, turnId: string): ChatMessage[] {
  return deps.storage.chats
    .readBranch(turnId)
    .filter((turn) => !isWithheld(deps, actor, [...turn.citations, ...turn.nearest]))
    .filter((turn) => turn.role === "user" || (turn.error === null && turn.content !== ""))
    .map((turn) => ({ role: turn.role, content: turn.correction ?? turn.content }));
}

const titleLength = 28;

export function titleFrom(question: string): string {
  const line = question.replace(/\s+/g, " ").trim();
  const letters = [...line];
  return letters.length <= titleLength ? line : `${letters.slice(0, titleLength - 1).join("")}…`;
}

export function errorPart(error: unknown) {
  const record = toErrorRecord(error);
  return {
    code: record.code,
    message: record.message,
    ...(record.hint === undefined ? {} : { hint: record.hint }),
    ...(record.zh === undefined ? {} : { zh: record.zh }),
  };
}
