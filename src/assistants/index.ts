/** @file The door of `assistants`: answers and chats as services. */
import type { AnswerService, ChatService, PageService } from "#contracts";
import { createAnswerService } from "./answer-service.ts";
import { createChatService } from "./chat-service.ts";
import { createPageService, type PageDeps } from "./pages.ts";

export type { AssistantsDeps } from "./deps.ts";

export function createAssistants(deps: PageDeps): { readonly answers: AnswerService; readonly chats: ChatService; readonly pages: PageService } {
  const answers = createAnswerService(deps);
  return { answers, chats: createChatService(deps), pages: createPageService(deps, answers) };
}
