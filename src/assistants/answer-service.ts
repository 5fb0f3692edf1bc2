/** @file One question against knowledge bases, kept with its lineage; what was refused becomes a knowledge gap. */
import { StarboxError } from "#base";
import type { Actor, Answer, AnswerPart, AnswerRequest, AnswerService } from "#contracts";
import { type AssistantsDeps, accessLost, answeringModel, baseIds, isWithheld, ownerOf, stamp, withheldText } from "./deps.ts";
import { noteGap } from "./gaps.ts";

export function createAnswerService(deps: AssistantsDeps): AnswerService {
  return {
    async *answer(actor, request) {
      const kbIds = baseIds(deps, actor, request.kbs);
      if (kbIds.length === 0) {
        throw new StarboxError("invalid_input", "Expected at least one knowledge base, got none.", {
          hint: "Name a base, or chat with the model alone.",
          zh: { message: "需要至少一个知识库。", hint: "请指定知识库，或直接与模型对话。" },
        });
      }
      const { kbs: _kbs, model: modelId, ...rest } = request;
      const model = await answeringModel(deps, modelId);
      yield* answerAndRecord(deps, actor, { ...rest, kbIds, model, viewer: deps.access.viewer(actor) });
    },
    async readLineage(actor, answerId) {
      const row = deps.storage.answers.find(answerId);
      if (row === undefined || !mayRead(actor, row.personId)) {
        throw new StarboxError("not_found", `There is no answer ${answerId}.`, {
          hint: "The id of an answer comes with its last part.",
          zh: { message: `没有编号为 ${answerId} 的回答。`, hint: "回答的编号在最后一条数据中给出。" },
        });
      }
      const { answer } = row;
      if (!isWithheld(deps, actor, [...answer.lineage.passages, ...answer.citations, ...(answer.refusal?.nearest ?? [])]))
        return { ...answer, id: row.id };
      const { refusal: _refusal, ...rest } = answer;
      return { ...rest, id: row.id, text: withheldText, citations: [], lineage: { ...answer.lineage, passages: [] } };
    },
  };
}

function mayRead(actor: Actor, personId: string | null): boolean {
  return actor.role === "operator" || actor.role === "administrator" || (ownerOf(actor) !== null && ownerOf(actor) === personId);
}

/**
 * Passes the parts on; the row is written before the last part goes out, which then carries the row's id.
 * Sources are asked for again before each part: a right taken away ends the stream.
 */
export async function* answerAndRecord(deps: AssistantsDeps, actor: Actor, request: AnswerRequest): AsyncGenerator<AnswerPart> {
  for (const kbId of request.kbIds) deps.audit.record({ actor, action: "answer.ask", subject: { kind: "base", id: kbId }, outcome: "ok" });
  let sources: readonly string[] = [];
  let generation = deps.access.generation();
  const check = (): void => {
    const now = deps.access.generation();
    if (now === generation) return;
    generation = now;
    if (request.kbIds.some((id) => deps.access.base(actor, id) === null) || sources.some((id) => !deps.access.sees(request.viewer, id)))
      throw accessLost();
  };
  for await (const part of deps.answerer.answer(request)) {
    if (part.type === "retrieved") sources = [...new Set(part.hits.map((hit) => hit.documentId))];
    check();
    if (part.type !== "finish") {
      yield part;
      continue;
    }
    const answer: Answer = { ...part.answer, id: deps.newId("ans") };
    // Somebody who looks through another's eyes leaves no traces in that other's name.
    if (actor.viewedBy === undefined) {
      deps.storage.answers.insert({ id: answer.id as string, personId: ownerOf(actor), kbIds: request.kbIds, answer, createdAt: stamp(deps) });
      if (answer.refused) noteGap(deps, request.kbIds, answer);
    }
    yield { type: "finish", answer };
  }
}
