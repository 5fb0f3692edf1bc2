/** @file The door of `assistants`: answers, chats and chat pages as services. */
import type { AnswerService, ChatService } from "#contracts";
import { createAnswerService } from "./answer-service.ts";
import { createChatService } from "./chat-service.ts";
import type { AssistantsDeps } from "./deps.ts";

export type { AssistantsDeps } from "./deps.ts";
export { createPageService } from "./pages.ts";

export function createAssistants(deps: AssistantsDeps): { readonly answers: AnswerService; readonly chats: ChatService } {
  return { answers: createAnswerService(deps), chats: createChatService(deps) };
}
