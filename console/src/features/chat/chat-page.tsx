/** @file Chat: the conversation, the composer, and the source beside it. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ChatTurn } from "#contracts";
import { client } from "../../api/client.ts";
import { basesQuery, chatsQuery, turnsQuery, useAction } from "../../api/queries.ts";
import { IconButton, Skeletons } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { DownIcon } from "../../ui/icons.ts";
import { ArrivingNotice } from "../box/arriving-notice.tsx";
import { SourcePane } from "../source/source-pane.tsx";
import { type Choice, loadChoice, saveChoice } from "./choice.ts";
import { Composer } from "./composer.tsx";
import { EmptyChat } from "./empty-chat.tsx";
import { type AskInput, ask, forget, type LiveAnswer, stop, useLiveAnswer } from "./stream-store.ts";
import { AnswerTurn, LiveTurn, QuestionTurn } from "./turns.tsx";

export function ChatPage() {
  const { t } = useTranslation();
  const { chatId } = useParams({ strict: false });
  const source = useSearch({ strict: false });
  return (
    <div className="chat-page" data-source={source.source === undefined ? undefined : true}>
      <h1 className="sr">{t("place.chat")}</h1>
      <Conversation key={chatId ?? "new"} chatId={chatId} />
      {source.source === undefined ? null : <SourcePane documentId={source.source} version={source.version} start={source.start} end={source.end} />}
    </div>
  );
}

function Conversation({ chatId }: { readonly chatId: string | undefined }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [choice, setChoice] = useChoice(chatId);
  const live = useLiveAnswer(chatId);
  const turns = useQuery({ ...turnsQuery(chatId ?? ""), enabled: chatId !== undefined });
  const shown = useMemo(() => visibleTurns(turns.data ?? [], live), [turns.data, live]);
  const create = useAction(
    () => client.chats.create({ kbIds: choice.kbIds, ...(choice.model === null ? {} : { model: choice.model }) }),
    [["chats"]],
  );
  const busy = live?.state === "asking" || create.isPending;

  const send = async (input: AskInput) => {
    if (chatId !== undefined) return ask(chatId, input);
    const chat = await create.mutateAsync(undefined);
    void ask(chat.id, input);
    await navigate({ to: "/chat/$chatId", params: { chatId: chat.id }, replace: true });
  };
  const empty = chatId === undefined && live === null;
  const retry = (turn: ChatTurn) => void send({ retryTurnId: turn.id });
  const lastAnswer = shown.findLast((turn) => turn.role === "assistant");

  return (
    <section className="conversation" data-empty={empty || undefined}>
      <Scroller follow={live === null ? shown.length : `${live.text.length}`} start={chatId ?? ""}>
        <div className="thread">
          <ArrivingNotice />
          {empty ? <EmptyChat choice={choice} onChoice={setChoice} onAsk={(content) => void send({ content })} /> : null}
          {turns.isPending && chatId !== undefined && live === null ? <Skeletons rows={5} label={t("common.loading")} /> : null}
          {turns.isError ? <ErrorCard error={turns.error} onRetry={() => void turns.refetch()} /> : null}
          {create.isError ? <ErrorCard error={create.error} /> : null}
          {shown.map((turn) =>
            turn.role === "user" ? (
              <QuestionTurn
                key={turn.id}
                content={turn.content}
                disabled={busy}
                onEdit={(content) => void send({ content, replaceTurnId: turn.id })}
              />
            ) : (
              <AnswerTurn
                key={turn.id}
                turn={turn}
                chatId={chatId ?? ""}
                kbIds={choice.kbIds}
                last={turn === lastAnswer && live === null}
                onRetry={() => retry(turn)}
              />
            ),
          )}
          {live?.input.content === undefined ? null : <QuestionTurn content={live.input.content} disabled />}
          {live === null || chatId === undefined ? null : <LiveTurn live={live} onRetry={() => (forget(chatId), void send(retryInput(live)))} />}
        </div>
      </Scroller>
      <div className="sr" role="status">
        {live?.state === "asking" ? t("chat.answering") : lastAnswer ? t("chat.answered") : ""}
      </div>
      <Composer
        choice={choice}
        onChoice={setChoice}
        busy={busy}
        onSend={(content) => void send({ content })}
        onStop={() => chatId !== undefined && stop(chatId)}
        chatId={chatId}
      />
    </section>
  );
}

/** What to ask again after an answer that never came to rest: its rows, if the box has them. */
function retryInput(live: LiveAnswer): AskInput {
  if (live.assistantTurnId !== null) return { retryTurnId: live.assistantTurnId };
  return live.input;
}

/** The kept turns, without those the live answer is just replacing. */
function visibleTurns(turns: readonly ChatTurn[], live: LiveAnswer | null): readonly ChatTurn[] {
  if (live === null) return turns;
  const { replaceTurnId, retryTurnId } = live.input;
  const cut = turns.findIndex((turn) => turn.id === (replaceTurnId ?? retryTurnId));
  const before = cut === -1 ? turns : turns.slice(0, cut);
  const hidden = new Set([live.assistantTurnId, ...(live.input.content === undefined ? [] : [live.userTurnId])]);
  return before.filter((turn) => !hidden.has(turn.id));
}

/** Knowledge bases and model of this chat; for a new one, what was chosen last. */
function useChoice(chatId: string | undefined): readonly [Choice, (next: Choice) => void] {
  const { data: chats } = useQuery(chatsQuery());
  const { data: bases } = useQuery(basesQuery());
  const [picked, setPicked] = useState<Choice | null>(null);
  const update = useAction((next: Choice) => client.chats.update(chatId ?? "", { kbIds: next.kbIds, model: next.model }), [["chats"]]);
  const chat = chats?.find((item) => item.id === chatId);
  const known = new Set(bases?.map((base) => base.id));
  const chosen = picked ?? (chat === undefined ? loadChoice() : { kbIds: chat.kbIds, model: chat.model });
  const kept = bases === undefined ? chosen.kbIds : chosen.kbIds.filter((id) => known.has(id));
  // Nothing chosen yet and only one base: that is the one meant.
  const kbIds = chatId === undefined && picked === null && kept.length === 0 && bases?.length === 1 ? bases.map((base) => base.id) : kept;
  const choose = (next: Choice) => {
    setPicked(next);
    saveChoice(next);
    if (chatId !== undefined) update.mutate(next);
  };
  return [{ kbIds, model: chosen.model }, choose];
}

/** Keeps the end in view while the person is there; never pulls them down when they have scrolled up. */
function Scroller({ follow, start, children }: { readonly follow: unknown; readonly start: string; readonly children: React.ReactNode }) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [away, setAway] = useState(false);
  const toEnd = () => box.current?.scrollTo({ top: box.current.scrollHeight });
  useLayoutEffect(() => {
    if (atEnd.current) toEnd();
  }, [follow]);
  useEffect(() => {
    atEnd.current = true;
    toEnd();
  }, [start]);
  const onScroll = () => {
    const element = box.current;
    if (element === null) return;
    atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 80;
    setAway(!atEnd.current);
  };
  return (
    <div className="scroller">
      <div className="scroll" ref={box} onScroll={onScroll} tabIndex={0} role="region" aria-label={t("chat.thread")}>
        {children}
      </div>
      {away ? <IconButton className="to-end" look="plain" label={t("chat.toEnd")} icon={DownIcon} onClick={toEnd} /> : null}
    </div>
  );
}
