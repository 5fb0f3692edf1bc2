/** @file `starbox models bench ID`: how fast a model answers (or embeds) here. One request at a time, fixed input. */
import type { ModelsService } from "#contracts";
import type { Cli } from "../cli.ts";

const passage = "劳动合同期限三个月以上不满一年的，试用期不得超过一个月；劳动合同期限一年以上不满三年的，试用期不得超过二个月。";
const rounds = 3;

export async function benchModel(models: ModelsService, id: string, { terminal, signal }: Cli): Promise<void> {
  const info = (await models.list()).find((model) => model.id === id);
  if (info?.kind === "embedding") {
    const loading = performance.now();
    const model = await models.embeddingModel(id);
    await model.embed([passage], { kind: "passage", signal });
    const loadMs = round(performance.now() - loading);
    const texts = Array.from({ length: 32 }, (_, i) => `${i} ${passage}`);
    const rates: number[] = [];
    for (let i = 0; i < rounds; i++) {
      const since = performance.now();
      await model.embed(
        texts.map((text) => `${i} ${text}`),
        { kind: "passage", signal },
      );
      rates.push(texts.length / ((performance.now() - since) / 1000));
    }
    const textsPerSecond = spread(rates);
    terminal.result(
      { ...info, loadMs, textsPerSecond },
      terminal.text(
        `${id}: ready in ${loadMs} ms, ${textsPerSecond.median} texts/s`,
        `${id}：${loadMs} 毫秒就绪，每秒 ${textsPerSecond.median} 条文本`,
      ),
    );
    return;
  }
  const loading = performance.now();
  const model = await models.languageModel(id);
  const request = {
    input: { messages: [{ role: "user" as const, content: `${passage.repeat(4)}\n用自己的话详细解释以上规定。` }] },
    maxTokens: 64,
    temperature: 0,
    signal,
  };
  for await (const _ of model.stream({ ...request, maxTokens: 1 })); // loads it
  const loadMs = round(performance.now() - loading);
  const firstTokens: number[] = [];
  const rates: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const since = performance.now();
    let first: number | null = null;
    for await (const part of model.stream({
      ...request,
      input: { messages: [{ role: "user", content: `${i} ${request.input.messages[0]!.content}` }] },
    })) {
      if (part.type === "text-delta") first ??= performance.now();
      if (part.type === "finish" && first !== null && part.usage.completionTokens > 1) {
        firstTokens.push(first - since);
        rates.push((part.usage.completionTokens - 1) / ((performance.now() - first) / 1000));
      }
    }
  }
  const firstTokenMs = spread(firstTokens);
  const tokensPerSecond = spread(rates);
  terminal.result(
    { ...info, id, loadMs, firstTokenMs, tokensPerSecond },
    terminal.text(
      `${id}: loaded in ${loadMs} ms, first token after ${firstTokenMs.median} ms, then ${tokensPerSecond.median} tokens/s`,
      `${id}：载入 ${loadMs} 毫秒，首个词元 ${firstTokenMs.median} 毫秒，之后每秒 ${tokensPerSecond.median} 个词元`,
    ),
  );
}

const round = (value: number): number => Math.round(value * 10) / 10;

function spread(values: readonly number[]): { readonly min: number; readonly median: number; readonly max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return { min: round(sorted[0] ?? 0), median: round(sorted[Math.floor(sorted.length / 2)] ?? 0), max: round(sorted.at(-1) ?? 0) };
}
