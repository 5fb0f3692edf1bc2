/** @file What the model is asked: the shortest answer, copied from one sentence. The sentence is data; what the model writes only votes among the sentence's own words. */
import type { ChatMessage, LanguageModel, Usage } from "#contracts";
import { normalise } from "../text/index.ts";

export const promptVersion = "extract-1";

const instruction = "你是阅读理解助手。根据资料回答问题，只从资料中原样抄写最短的答案，不要解释，不要写完整句子。";

/** Worked examples: they stay in front, so an engine with a prefix cache reads them once. */
const examples: readonly (readonly [string, string, string])[] = [
  ["珠穆朗玛峰位于中国与尼泊尔边境，海拔8848.86米，是世界最高峰。", "珠穆朗玛峰的海拔是多少?", "8848.86米"],
  ["造纸术在东汉时由宦官蔡伦加以改进，使用树皮、破布和渔网作为原料。", "造纸术是由谁改进的?", "蔡伦"],
  ["该公司于1998年在深圳成立，最初主要生产电话交换机，后来转向手机业务。", "该公司成立初期主要生产什么产品?", "电话交换机"],
  ["由于连年旱灾导致粮食歉收，大批居民在1920年代迁往南方的广东和福建沿海。", "居民因为什么原因迁往南方?", "连年旱灾导致粮食歉收"],
  ["除了小麦以外，当地农民还种植棉花与大豆，其中棉花是最重要的出口商品。", "当地最重要的出口商品是哪一种作物?", "棉花"],
  ["1895年4月17日，清朝与日本签署《马关条约》，战争正式结束，此前双方在平壤和黄海交战。", "战争因哪一份条约的签署而结束?", "《马关条约》"],
];

function ask(sentence: string, question: string): string {
  return `资料：${oneLine(sentence)}\n问题：${oneLine(question)}`;
}

/** Control marks of chat templates and line breaks must not come from documents or questions. */
function oneLine(text: string): string {
  return normalise(text)
    .replace(/<\|[^|<>]*\|>/g, " ")
    .replace(/\s+/g, " ")
    .slice(0, 600);
}

export function extractionMessages(sentence: string, question: string): ChatMessage[] {
  return [
    { role: "system", content: instruction },
    ...examples.flatMap(([source, asked, answer]): ChatMessage[] => [
      { role: "user", content: ask(source, asked) },
      { role: "assistant", content: answer },
    ]),
    { role: "user", content: ask(sentence, question) },
  ];
}

/** The model's own words for the answer; never shown, only compared with the sentence. */
export async function askModel(
  model: LanguageModel,
  sentence: string,
  question: string,
  // No seed: the choice is greedy, and a seed would keep the engine from using its prefix cache.
  options: { readonly person?: string; readonly signal?: AbortSignal },
): Promise<{ readonly text: string; readonly usage: Usage }> {
  let text = "";
  let usage: Usage = { promptTokens: 0, completionTokens: 0 };
  const request = { input: { messages: extractionMessages(sentence, question) }, maxTokens: 24, temperature: 0, stop: ["\n"], ...options };
  for await (const part of model.stream(request)) {
    if (part.type === "text-delta") text += part.text;
    else if (part.type === "finish") usage = part.usage;
  }
  return { text: text.trim(), usage };
}
