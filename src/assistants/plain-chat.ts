/** @file Talking to the model alone, without documents: the newest part of the conversation that fits its context. */
import type { ChatMessage, LanguageModel, StreamPart } from "#contracts";

const mostAnswerTokens = 1024;

export async function* plainChat(
  model: LanguageModel,
  messages: readonly ChatMessage[],
  options: { readonly person?: string; readonly signal?: AbortSignal },
): AsyncIterable<StreamPart> {
  const fitting = await newestFitting(model, messages);
  yield* model.stream({ input: { messages: fitting }, maxTokens: Math.min(mostAnswerTokens, Math.floor(model.contextTokens / 3)), ...options });
}

/** From the end backwards, beginning with a question; the last message always stays. */
async function newestFitting(model: LanguageModel, messages: readonly ChatMessage[]): Promise<readonly ChatMessage[]> {
  let room = Math.floor((model.contextTokens * 2) / 3) - 64;
  let from = messages.length - 1;
  for (let i = messages.length - 1; i >= 0; i--) {
    room -= (await model.countTokens((messages[i] as ChatMessage).content)) + 8;
    if (room < 0 && i < messages.length - 1) break;
    if ((messages[i] as ChatMessage).role === "user") from = i;
  }
  return messages.slice(from);
}
