/** @file A knowledge base behind the chat endpoint: `kb:NAME` as the model, or `knowledge_bases` beside one. */
import type { Actor, AnswerPart, ChatMessage, Citation, GenerateRequest } from "#contracts";
import type { ServerParts } from "../context.ts";
import type { Annotation, ReplyPart } from "./chat.ts";
import { unsupported } from "./errors.ts";
import type { ChatBody } from "./schema.ts";

export const basePrefix = "kb:";

export function baseNames(body: ChatBody): readonly string[] {
  const own = body.model.startsWith(basePrefix) ? [body.model.slice(basePrefix.length)] : [];
  return [...new Set([...own, ...(body.knowledge_bases ?? [])])];
}

/** Resolves once the bases and the model are known to exist, so that a wrong name is a 404 and not a broken stream. */
export async function answerParts(
  parts: ServerParts,
  actor: Actor,
  body: ChatBody,
  names: readonly string[],
  messages: readonly ChatMessage[],
  sampling: Pick<GenerateRequest, "maxTokens" | "temperature" | "seed" | "stop">,
  shape: Pick<GenerateRequest, "tools" | "jsonSchema" | "logprobs">,
  signal: AbortSignal,
): Promise<AsyncIterable<ReplyPart>> {
  const hint = "Ask the model without a knowledge base for that.";
  const zh = "知识库问答不支持该参数。";
  if (shape.tools !== undefined) throw unsupported("tools", "tools is not offered together with a knowledge base.", hint, zh);
  if (shape.jsonSchema !== undefined) throw unsupported("response_format", "A JSON answer is not offered together with a knowledge base.", hint, zh);
  if (shape.logprobs !== undefined) throw unsupported("logprobs", "logprobs is not offered together with a knowledge base.", hint, zh);
  if (sampling.stop !== undefined) throw unsupported("stop", "stop is not offered together with a knowledge base.", hint, zh);
  const kbs: string[] = [];
  for (const name of names) kbs.push((await parts.services.knowledge.readBase(actor, name)).id);
  const model = body.model.startsWith(basePrefix) ? undefined : body.model;
  if (model !== undefined) await parts.services.models.languageModel(model);
  return replyParts(
    parts.services.answers.answer(actor, {
      kbs,
      messages,
      ...(model === undefined ? {} : { model }),
      ...(sampling.maxTokens === undefined ? {} : { maxTokens: sampling.maxTokens }),
      ...(sampling.temperature === undefined ? {} : { temperature: sampling.temperature }),
      ...(sampling.seed === undefined ? {} : { seed: sampling.seed }),
      signal,
    }),
  );
}

async function* replyParts(source: AsyncIterable<AnswerPart>): AsyncIterable<ReplyPart> {
  for await (const part of source) {
    if (part.type === "text-delta") yield { type: "text", text: part.text };
    else if (part.type === "citation") yield { type: "annotation", annotation: presentCitation(part.citation) };
    else if (part.type === "finish") {
      const { refused, refusal, origin, confidence, query, usage, ms } = part.answer;
      yield {
        type: "finish",
        reason: "stop",
        usage,
        starbox: { refused, ...(refusal === undefined ? {} : { refusal: refusal.reason }), origin, confidence, query, ms },
      };
    }
  }
}

function presentCitation(citation: Citation): Annotation {
  return {
    type: "document_citation",
    marker: citation.marker,
    document: citation.document,
    page: citation.page,
    start: citation.start,
    end: citation.end,
    quote: citation.quote,
    title: citation.title,
    document_id: citation.documentId,
    version_id: citation.versionId,
    knowledge_base_id: citation.kbId,
  };
}
