/** @file One question, one answer, and an answer that is just being written. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { ChatTurn, Citation } from "#contracts";
import { client } from "../../api/client.ts";
import { isTurnOpen, useAction } from "../../api/queries.ts";
import { Badge, Button, CopyButton, IconButton, Notice } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { BusyIcon, DownVoteIcon, EditIcon, RetryIcon, StopIcon, UpVoteIcon, WaitingIcon } from "../../ui/icons.ts";
import { EditionTag } from "../source/edition-tag.tsx";
import { useOpenSource } from "../source/use-source.ts";
import { AnswerText } from "./answer-text.tsx";
import { CorrectForm } from "./correct-form.tsx";
import { RefusalCard } from "./refusal-card.tsx";
import type { LiveAnswer } from "./stream-store.ts";

export function QuestionTurn({
  content,
  disabled,
  onEdit,
}: {
  readonly content: string;
  readonly disabled?: boolean;
  readonly onEdit?: (content: string) => void;
}) {
  const { t } = useTranslation();
  const [editing, setEditing] = useState(false);
  if (editing && onEdit !== undefined) {
    return (
      <form
        className="turn question editing"
        onSubmit={(event) => {
          event.preventDefault();
          const next = String(new FormData(event.currentTarget).get("content") ?? "").trim();
          if (next === "") return;
          setEditing(false);
          onEdit(next);
        }}
      >
        <textarea
          className="input"
          name="content"
          aria-label={t("chat.editQuestion")}
          autoFocus
          defaultValue={content}
          rows={3}
          onKeyDown={(event) => event.key === "Escape" && setEditing(false)}
        />
        <div className="row">
          <Button small className="end" onClick={() => setEditing(false)}>
            {t("common.cancel")}
          </Button>
          <Button small look="primary" type="submit">
            {t("chat.askAgain")}
          </Button>
        </div>
      </form>
    );
  }
  return (
    <div className="turn question">
      <p className="bubble">
        <span className="sr">{t("chat.you")}</span>
        {content}
      </p>
      {onEdit === undefined ? null : (
        <div className="turn-tools">
          <IconButton label={t("chat.editQuestion")} icon={EditIcon} disabled={disabled} onClick={() => setEditing(true)} />
          <CopyButton text={content} label={t("chat.copyQuestion")} />
        </div>
      )}
    </div>
  );
}

type AnswerProps = {
  readonly turn: ChatTurn;
  readonly chatId: string;
  readonly kbIds: readonly string[];
  readonly last: boolean;
  readonly onRetry: () => void;
};

export function AnswerTurn({ turn, chatId, kbIds, last, onRetry }: AnswerProps) {
  const { t } = useTranslation();
  const [correcting, setCorrecting] = useState(false);
  const [original, setOriginal] = useState(false);
  const rate = useAction((rating: "up" | "down" | null) => client.chats.rateTurn(turn.id, rating), [["turns", chatId]]);
  const corrected = turn.correction !== null && !original;
  const vote = (rating: "up" | "down") => rate.mutate(turn.rating === rating ? null : rating);
  if (isTurnOpen(turn))
    return (
      <article className="turn answer live" aria-label={t("chat.answer")} aria-busy="true">
        <Badge icon={BusyIcon} spin>
          {t("chat.answering")}
        </Badge>
      </article>
    );
  if (correcting)
    return (
      <div className="turn answer">
        <CorrectForm turn={turn} chatId={chatId} onClose={() => setCorrecting(false)} />
      </div>
    );
  return (
    <article className="turn answer" data-last={last || undefined} aria-label={t("chat.answer")}>
      {turn.refused && turn.correction === null ? <RefusalCard turn={turn} kbIds={kbIds} /> : null}
      {corrected ? (
        <AnswerText text={turn.correction ?? ""} citations={turn.citations} />
      ) : turn.refused && turn.correction === null ? null : (
        <AnswerText text={turn.content} citations={turn.citations} />
      )}
      {turn.error === null ? null : turn.error.code === "cancelled" ? (
        <Badge icon={StopIcon}>{t("chat.stopped")}</Badge>
      ) : (
        <ErrorCard error={turn.error} onRetry={onRetry} />
      )}
      {turn.correction === null ? null : (
        <p className="row tiny muted">
          <Badge tone="accent" icon={EditIcon}>
            {t("chat.corrected")}
          </Badge>
          <button type="button" className="linkish" onClick={() => setOriginal(!original)}>
            {original ? t("chat.showCorrected") : t("chat.showOriginal")}
          </button>
        </p>
      )}
      <Sources citations={turn.citations} />
      <div className="turn-tools">
        <IconButton label={t("chat.retry")} icon={RetryIcon} onClick={onRetry} />
        {turn.content === "" && turn.correction === null ? null : (
          <>
            <CopyButton text={corrected ? (turn.correction ?? "") : turn.content} label={t("chat.copyAnswer")} />
            <IconButton label={t("chat.rateUp")} icon={UpVoteIcon} aria-pressed={turn.rating === "up"} onClick={() => vote("up")} />
            <IconButton label={t("chat.rateDown")} icon={DownVoteIcon} aria-pressed={turn.rating === "down"} onClick={() => vote("down")} />
            <Button small look="quiet" icon={EditIcon} onClick={() => setCorrecting(true)}>
              {t("chat.correct")}
            </Button>
          </>
        )}
        {turn.model === null ? null : <span className="muted tiny end clip">{turn.model}</span>}
      </div>
    </article>
  );
}

/** The documents behind the numerals, one line each. */
function Sources({ citations }: { readonly citations: readonly Citation[] }) {
  const { t } = useTranslation();
  const openSource = useOpenSource();
  if (citations.length === 0) return null;
  return (
    <ul className="sources" aria-label={t("chat.sources")}>
      {citations.map((citation) => (
        <li key={citation.marker}>
          <button type="button" onClick={() => openSource(citation)} title={citation.quote}>
            <span className="cite-number num" aria-hidden="true">
              {citation.marker}
            </span>
            <span className="clip">{citation.title}</span>
            {citation.page === null ? null : <span className="muted nowrap">{t("source.page", { page: citation.page })}</span>}
            <EditionTag edition={citation.edition?.state === "superseded" ? citation.edition : null} />
          </button>
        </li>
      ))}
    </ul>
  );
}

export function LiveTurn({ live, onRetry }: { readonly live: LiveAnswer; readonly onRetry: () => void }) {
  const { t } = useTranslation();
  const { eta } = useFormat();
  return (
    <article className="turn answer live" aria-label={t("chat.answer")} aria-busy={live.state === "asking"}>
      {live.text === "" ? null : <AnswerText text={live.text} citations={live.citations} />}
      {live.state !== "asking" ? null : live.queued !== null ? (
        <Badge icon={WaitingIcon}>
          {t("chat.queued", { position: live.queued.position })} · {eta(live.queued.etaSeconds)}
        </Badge>
      ) : live.text === "" ? (
        <Badge icon={BusyIcon} spin>
          {t("chat.looking")}
        </Badge>
      ) : null}
      {live.state === "stopped" ? (
        <Notice
          icon={StopIcon}
          action={
            <Button small look="quiet" icon={RetryIcon} onClick={onRetry}>
              {t("chat.retry")}
            </Button>
          }
        >
          {t("chat.stopped")}
        </Notice>
      ) : null}
      {live.state === "failed" ? <ErrorCard error={live.error} onRetry={onRetry} /> : null}
    </article>
  );
}
