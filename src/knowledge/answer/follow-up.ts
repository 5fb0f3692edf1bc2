/** @file A follow-up question made complete from the conversation, by rules: what "it" is, what an "and …?" leaves out. */
import type { ChatMessage } from "#contracts";
import { normalise, segment, tagWords } from "../text/index.ts";

const pronoun =
  /它们?|他们?|她们?|这个|这种|这条|这些|这项|那个|那种|那些|该(?=[^死])|其(?=[中他]|$)?|此(?=[人法事案条书])|上述|前者|后者|\b(?:it|its|they|them|their|this|that|these|those|he|she|his|her)\b/;
const addition = /^(?:那么?|还有|另外|而|and\b|what about|how about)|呢[?？]?$/;

/** The question as it must be searched; unchanged when it stands on its own. */
export function completeQuestion(messages: readonly ChatMessage[]): { readonly question: string; readonly query: string } {
  const users = messages.filter((message) => message.role === "user");
  const question = users.at(-1)?.content.trim() ?? "";
  const previous = users
    .slice(0, -1)
    .map((message) => message.content.trim())
    .filter((text) => text !== "");
  if (previous.length === 0) return { question, query: question };
  const normal = normalise(question);
  const words = new Set(segment(question));
  const refers = pronoun.test(normal);
  const adds = addition.test(normal);
  const bareShort = words.size <= 2 && normal.length <= 12;
  if (!refers && !adds && !bareShort) return { question, query: question };
  const last = lastComplete(previous);
  if (adds && !refers) {
    // "那二手车呢？" after "新车的保修期多长？": the new topic, asked the old way.
    const topic = question.replace(/^(?:那么?|还有|另外|而|[Aa]nd|[Ww]hat about|[Hh]ow about)[，,\s]*/u, "").replace(/[呢?？\s]+$/u, "");
    if (!/什么|谁|哪|几|多少|怎|何|甚么|什麼|誰|幾/.test(topic)) return { question, query: topic === "" ? last : `${topic}，${last}` };
  }
  const missing = keywords(last).filter((word) => !words.has(normalise(word)));
  return { question, query: missing.length === 0 ? question : `${missing.join(" ")} ${question}` };
}

/** The newest earlier question that says what it is about. */
function lastComplete(previous: readonly string[]): string {
  for (let i = previous.length - 1; i > 0; i--) {
    const text = previous[i] as string;
    if (!pronoun.test(normalise(text)) && !addition.test(normalise(text)) && segment(text).length > 2) return text;
  }
  return previous[0] as string;
}

/** Nouns and names of a question, at most six. */
function keywords(text: string): string[] {
  const words = tagWords(normalise(text)).filter(({ word, tag }) => word.length > 1 && /^(?:n|j|l|i|eng|vn|t)/.test(tag));
  return [...new Set(words.map(({ word }) => word))].slice(0, 6);
}
