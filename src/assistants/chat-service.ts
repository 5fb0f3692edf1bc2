/** @file Chats that survive: both turns are rows before the first word, branches for edits and retries, ratings and corrections kept. */
import { StarboxError } from "#base";
import type { Actor, Answer, ChatPart, ChatService } from "#contracts";
import type { ChatRow, TurnRow } from "#storage";
import { answerAndRecord } from "./answer-service.ts";
import { type AssistantsDeps, answeringModel, baseIds, ownerOf, stamp } from "./deps.ts";
import { plainChat } from "./plain-chat.ts";
import { type OnWait, tellingWaits, withQueue } from "./queue-parts.ts";
import {
  type AskInput,
  conversation,
  errorPart,
  newTurn,
  ownChat,
  ownTurn,
  presentChat,
  presentTurn,
  titleFrom,
  userTurnFor,
  withhold,
} from "./turns.ts";

/** Turns a crash left open are marked broken first. */
export function createChatService(deps: AssistantsDeps): ChatService {
  const { chats } = deps.storage;
  chats.closeOpenTurns({ code: "interrupted", message: "The box stopped while this was being written. 回答时服务中断，请重试。" });
  return {
    listChats: async (actor) => chats.list(ownerOf(actor)).map(presentChat),
    async createChat(actor, input) {
      const at = stamp(deps);
      const row: ChatRow = {
        id: deps.newId("chat"),
        personId: ownerOf(actor),
        title: "",
        kbIds: baseIds(deps, actor, input.kbIds),
        model: input.model ?? null,
        headTurnId: null,
        createdAt: at,
        updatedAt: at,
      };
      chats.insert(row);
      return presentChat(row);
    },
    async updateChat(actor, chatId, patch) {
      ownChat(deps, actor, chatId);
      const { kbIds, ...rest } = patch;
      chats.update(chatId, { ...rest, ...(kbIds === undefined ? {} : { kbIds: baseIds(deps, actor, kbIds) }), updatedAt: stamp(deps) });
      return presentChat(ownChat(deps, actor, chatId));
    },
    async removeChat(actor, chatId) {
      chats.remove(ownChat(deps, actor, chatId).id);
    },
    async readTurns(actor, chatId) {
      const { headTurnId } = ownChat(deps, actor, chatId);
      return headTurnId === null ? [] : chats.readBranch(headTurnId).map((turn) => presentTurn(withhold(deps, actor, turn)));
    },
    ask: (actor, chatId, input) => ask(deps, actor, chatId, input),
    async rateTurn(actor, turnId, rating) {
      chats.updateTurn(ownTurn(deps, actor, turnId).id, { rating });
    },
    async correctTurn(actor, turnId, correction) {
      const turn = ownTurn(deps, actor, turnId);
      if (turn.role !== "assistant")
        throw new StarboxError("invalid_input", "Only an answer can be corrected; a question is edited.", {
          zh: { message: "只能更正回答；提问可以直接修改。" },
        });
      chats.updateTurn(turn.id, { correction: correction.text.trim() === "" ? null : correction.text, correctionReason: correction.reason ?? null });
    },
  };
}

async function* ask(
  deps: AssistantsDeps,
  actor: Actor,
  chatId: string,
  input: AskInput & { readonly signal?: AbortSignal },
): AsyncGenerator<ChatPart> {
  const { chats } = deps.storage;
  const chat = ownChat(deps, actor, chatId);
  const { turn: question, isNew } = userTurnFor(deps, chat, input);
  if (isNew) chats.insertTurn(question);
  const reply = newTurn(deps, chatId, question.id, "assistant", "");
  chats.insertTurn(reply);
  const title = chat.title === "" ? titleFrom(question.content) : chat.title;
  chats.update(chatId, { headTurnId: reply.id, title, updatedAt: stamp(deps) });
  const draft: Draft = { content: "", answer: null, model: null, answerId: null };
  let closed = false;
  const close = (error: TurnRow["error"]): void => {
    closed = true;
    chats.updateTurn(reply.id, { ...turnOf(draft), error, open: false });
  };
  try {
    yield { type: "turn-start", userTurnId: question.id, assistantTurnId: reply.id };
    const keep = (): void => void chats.updateTurn(reply.id, { content: draft.content });
    yield* withQueue((onWait) => writeReply(deps, actor, chat, question, draft, { keep, onWait, signal: input.signal }));
    close(null);
    yield { type: "finish", turn: presentTurn(chats.findTurn(reply.id) as TurnRow), title };
  } catch (error) {
    if (StarboxError.is(error, "forbidden")) draft.content = ""; // what was written rests on what may no longer be read
    const shown = input.signal?.aborted === true ? { code: "cancelled", message: "Stopped. 已停止。" } : errorPart(error);
    close({ code: shown.code, message: shown.message });
    yield { type: "error", error: shown };
  } finally {
    // The reader left in the middle: what was written stays, marked.
    if (!closed) close({ code: "cancelled", message: "Stopped. 已停止。" });
  }
}

type Draft = { content: string; answer: Answer | null; model: string | null; answerId: string | null };

const keepEveryMs = 1000;

/** Streams the reply and fills the draft; long replies are kept about every second, so that a crash loses little. */
async function* writeReply(
  deps: AssistantsDeps,
  actor: Actor,
  chat: ChatRow,
  question: TurnRow,
  draft: Draft,
  { keep, onWait, signal }: { readonly keep: () => void; readonly onWait: OnWait; readonly signal: AbortSignal | undefined },
): AsyncGenerator<ChatPart> {
  const messages = conversation(deps, actor, question.id);
  const abort = signal === undefined ? {} : { signal };
  if (chat.kbIds.length > 0) {
    const kbIds = chat.kbIds.filter((id) => deps.access.base(actor, id) !== null);
    if (kbIds.length === 0) baseIds(deps, actor, chat.kbIds); // named error: every base of this chat is gone
    const found = await answeringModel(deps, chat.model ?? undefined);
    const model = found === null ? null : tellingWaits(found, onWait);
    for await (const part of answerAndRecord(deps, actor, { kbIds, messages, viewer: deps.access.viewer(actor), model, ...abort })) {
      if (part.type === "text-delta") {
        draft.content += part.text;
        yield part;
      } else if (part.type === "citation") yield part;
      else if (part.type === "finish") {
        draft.answer = part.answer;
        draft.content = part.answer.text;
        draft.model = part.answer.lineage.model;
        draft.answerId = part.answer.id ?? null;
      }
    }
    return;
  }
  const model = tellingWaits(await deps.models.languageModel(chat.model ?? undefined), onWait);
  draft.model = model.id;
  let keptAt = deps.now();
  for await (const part of plainChat(model, messages, { ...abort, ...(actor.personId === null ? {} : { person: actor.personId }) })) {
    if (part.type !== "text-delta") continue;
    draft.content += part.text;
    yield { type: "text-delta", text: part.text };
    if (deps.now() - keptAt >= keepEveryMs) {
      keptAt = deps.now();
      keep();
    }
  }
}

function turnOf({ content, answer, model, answerId }: Draft) {
  return {
    content,
    model,
    answerId,
    citations: answer?.citations ?? [],
    refused: answer?.refused ?? false,
    nearest: (answer?.refusal?.nearest ?? []).map(({ documentId, document, page, start, end, text }) => ({
      documentId,
      document,
      page,
      start,
      end,
      text,
    })),
  };
}
