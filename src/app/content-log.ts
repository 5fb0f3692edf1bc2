/** @file Questions and answers in the log, where an operator has switched that on (STARBOX_LOG_CONTENTS). Off, nothing here is in the way. */
import type { Logger } from "#base";
import type { Actor, AnswerService, ChatService } from "#contracts";

type Talking = { readonly answers: AnswerService; readonly chats: ChatService };

/** Stands outside the masks: what is masked for people is masked in the log. */
export function logContents(services: Talking, logger: Logger): Talking {
  const { answers, chats } = services;
  const write = (actor: Actor, question: string, answer: string): void =>
    logger.info({ person: actor.personId, key: actor.key?.id ?? null, question, answer }, "contents");
  return {
    answers: {
      ...answers,
      async *answer(actor, request) {
        let text = "";
        try {
          for await (const part of answers.answer(actor, request)) {
            if (part.type === "text-delta") text += part.text;
            yield part;
          }
        } finally {
          write(actor, request.messages.at(-1)?.content ?? "", text);
        }
      },
    },
    chats: {
      ...chats,
      async *ask(actor, chatId, input) {
        let text = "";
        try {
          for await (const part of chats.ask(actor, chatId, input)) {
            if (part.type === "text-delta") text += part.text;
            yield part;
          }
        } finally {
          write(actor, input.content ?? "", text);
        }
      },
    },
  };
}
