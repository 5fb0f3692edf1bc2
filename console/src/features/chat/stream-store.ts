/** @file Answers that are being written right now, one a chat. Lives outside React so that leaving the page does not stop an answer. */
import { useSyncExternalStore } from "react";
import type { ChatPart, Citation } from "#contracts";
import { client, queryClient } from "../../api/client.ts";
import { chatsQuery, turnsQuery } from "../../api/queries.ts";
import { type ErrorLike, toErrorLike } from "../../ui/error-card.tsx";

export type AskInput = { readonly content?: string; readonly replaceTurnId?: string; readonly retryTurnId?: string };

export type LiveAnswer = {
  readonly input: AskInput;
  readonly userTurnId: string | null;
  readonly assistantTurnId: string | null;
  readonly queued: { readonly position: number; readonly etaSeconds: number | null } | null;
  readonly text: string;
  readonly citations: readonly Citation[];
  readonly error: ErrorLike | null;
  readonly state: "asking" | "stopped" | "failed";
};

const answers = new Map<string, LiveAnswer>();
const controllers = new Map<string, AbortController>();
const listeners = new Set<() => void>();

function set(chatId: string, answer: LiveAnswer | null): void {
  if (answer === null) answers.delete(chatId);
  else answers.set(chatId, answer);
  for (const listener of listeners) listener();
}

function patch(chatId: string, change: Partial<LiveAnswer>): void {
  const before = answers.get(chatId);
  if (before !== undefined) set(chatId, { ...before, ...change });
}

export function useLiveAnswer(chatId: string | undefined): LiveAnswer | null {
  return useSyncExternalStore(
    (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    () => (chatId === undefined ? null : (answers.get(chatId) ?? null)),
  );
}

/** Text arrives in small pieces; the screen is drawn at most once a frame, so typing stays quick meanwhile. */
function createPainter(chatId: string) {
  let text = "";
  let waiting = 0;
  const paint = () => {
    cancelAnimationFrame(waiting);
    waiting = 0;
    patch(chatId, { text, queued: null });
  };
  return {
    add(delta: string) {
      text += delta;
      if (waiting === 0) waiting = requestAnimationFrame(paint);
    },
    paint,
  };
}

export async function ask(chatId: string, input: AskInput): Promise<void> {
  if (answers.get(chatId)?.state === "asking") return;
  const controller = new AbortController();
  controllers.set(chatId, controller);
  set(chatId, { input, userTurnId: null, assistantTurnId: null, queued: null, text: "", citations: [], error: null, state: "asking" });
  const painter = createPainter(chatId);
  let ended = false;
  const take = (part: ChatPart): void => {
    if (part.type === "turn-start") patch(chatId, { userTurnId: part.userTurnId, assistantTurnId: part.assistantTurnId });
    else if (part.type === "queued") patch(chatId, { queued: part.position === 0 ? null : { position: part.position, etaSeconds: part.etaSeconds } });
    else if (part.type === "text-delta") painter.add(part.text);
    else if (part.type === "citation") patch(chatId, { citations: [...(answers.get(chatId)?.citations ?? []), part.citation] });
    else if (part.type === "error") patch(chatId, { error: part.error, state: "failed" });
    ended ||= part.type === "finish" || part.type === "error";
  };
  try {
    for await (const part of client.chats.ask(chatId, input, controller.signal)) take(part);
    painter.paint();
    if (!ended)
      throw { code: "engine_crashed", message: "The answer broke off.", hint: "Try again.", zh: { message: "回答中途断开了。", hint: "请重试。" } };
  } catch (error) {
    painter.paint();
    patch(chatId, controller.signal.aborted ? { state: "stopped" } : { state: "failed", error: toErrorLike(error) });
  }
  controllers.delete(chatId);
  await settle(chatId);
}

/** The rows the box kept take the place of what was streamed; without them (box away) the streamed text stays, with its error. */
async function settle(chatId: string): Promise<void> {
  const live = answers.get(chatId);
  // A reading that began before the answer's end would bring the unfinished row, and a new one would join it.
  await queryClient.cancelQueries({ queryKey: turnsQuery(chatId).queryKey });
  try {
    let turns = await queryClient.fetchQuery({ ...turnsQuery(chatId), staleTime: 0 });
    // After a stop the box needs a moment to notice and to mark what was written so far.
    for (let tries = 0; live?.state === "stopped" && tries < 5 && turns.find((turn) => turn.id === live.assistantTurnId)?.error === null; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      turns = await queryClient.fetchQuery({ ...turnsQuery(chatId), staleTime: 0 });
    }
    void queryClient.invalidateQueries({ queryKey: chatsQuery().queryKey });
    const kept = turns.find((turn) => turn.id === live?.assistantTurnId);
    if (kept !== undefined && (live?.state === "asking" || kept.content !== "" || kept.error !== null)) set(chatId, null);
    else if (live?.state === "asking") set(chatId, null);
  } catch {
    if (live?.state === "asking") set(chatId, null);
  }
}

export function stop(chatId: string): void {
  controllers.get(chatId)?.abort();
}

export function forget(chatId: string): void {
  if (answers.get(chatId)?.state !== "asking") set(chatId, null);
}
