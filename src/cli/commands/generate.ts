/** @file `starbox generate`: many prompts through one model, without a knowledge base. Output order is input order. */
import { type Command, Option } from "commander";
import { StarboxError, toErrorRecord } from "#base";
import type { ChatMessage, GenerateRequest, LanguageModel } from "#contracts";
import { type Cli, withBox } from "../cli.ts";
import { copyId, decimal, type JsonLine, readJsonLines, wholeNumber } from "../options.ts";
import type { Builder } from "./builder.ts";

type Flags = {
  readonly model: string;
  readonly prompts: string;
  readonly temperature: number;
  readonly maxTokens?: number;
  readonly seed?: number;
  readonly parallel: number;
  readonly engine?: "own" | "llama.cpp";
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly stop?: readonly string[];
};
type Prompt = { readonly id?: unknown; readonly input: GenerateRequest["input"] };

export function addGenerate(program: Command, { add, t, run }: Builder): void {
  const command = add(
    "generate",
    ["many prompts through one model, no knowledge base", "批量生成，不使用知识库"],
    [
      "starbox generate --model qwen2.5-coder-0.5b-instruct --prompts prompts.jsonl --json > out.jsonl",
      "starbox generate --model smollm2-135m-instruct --prompts - --temperature 0.7 --max-tokens 200 < prompts.jsonl",
    ],
  )
    .requiredOption("--model <ID>", t("the model, or an adapter, by its id", "模型或适配器的标识"))
    .requiredOption(
      "--prompts <FILE>",
      t(
        'a file of {"id", "messages"} or {"id", "prompt"} lines; - for stdin',
        '每行一个 {"id", "messages"} 或 {"id", "prompt"} 的文件，- 表示标准输入',
      ),
    )
    .option("--temperature <X>", t("0: always the likeliest token", "0 表示总取最可能的词元"), decimal(0, 2), 0)
    .option("--max-tokens <N>", t("longest output", "输出的最大长度"), wholeNumber(1, 1 << 20))
    .option("--top-p <P>", t("only the likeliest tokens that make up this share", "只在累计概率达到该值的词元中取样"), decimal(0, 1))
    .option("--top-k <K>", t("only the K likeliest tokens", "只在概率最高的 K 个词元中取样"), wholeNumber(0, 1 << 20))
    .option("--min-p <P>", t("only tokens at least this share as likely as the likeliest", "只取概率不低于最高概率该比例的词元"), decimal(0, 1))
    .option("--repetition-penalty <X>", t("above 1: less of what was said", "大于 1 时减少重复"), decimal(0.01, 10))
    .option("--presence-penalty <X>", t("subtracted once for words said", "对已出现的词元扣减一次"), decimal(-2, 2))
    .option("--frequency-penalty <X>", t("subtracted for every time", "按出现次数扣减"), decimal(-2, 2))
    .option("--stop <TEXT...>", t("texts that end an answer", "遇到即结束的文本"))
    .addOption(
      new Option(
        "--engine <ENGINE>",
        t("what runs the model, where no box is running (STARBOX_ENGINE)", "运行模型的引擎，仅在没有运行中的星匣时有效（STARBOX_ENGINE）"),
      ).choices(["llama.cpp", "own"]),
    )
    .option("--seed <N>", t("for temperatures above 0", "温度大于 0 时的随机种子"), wholeNumber(0, 2 ** 31 - 1))
    .option(
      "--parallel <N>",
      t("prompts at the same time; 1 keeps results independent of each other", "同时处理的条数，1 可保证结果互不影响"),
      wholeNumber(1, 64),
      1,
    )
    .action(async (flags: Flags) => {
      await run(async (cli) => {
        const prompts = readJsonLines(flags.prompts).map((line) => readPrompt(flags.prompts, line));
        return await withBox(
          cli,
          async ({ services, where }) => {
            if (where === "box" && flags.engine !== undefined) throw engineOfBox();
            return await generateAll(cli, await services.models.languageModel(flags.model), prompts, flags);
          },
          flags.engine === undefined ? {} : { engine: flags.engine },
        );
      });
    });
  program.addCommand(command);
}

const engineOfBox = (): StarboxError =>
  new StarboxError("usage", "A box is running; its models run on the engine it was started with, so --engine cannot be followed.", {
    hint: "Stop it, give another folder with --data, or start it with STARBOX_ENGINE=own.",
    zh: {
      message: "已有星匣在运行，其模型使用启动时的引擎，无法按 --engine 切换。",
      hint: "请先停止它，用 --data 指定其他文件夹，或以 STARBOX_ENGINE=own 启动。",
    },
  });

function readPrompt(file: string, { line, value }: JsonLine): Prompt {
  const { messages, prompt } = value;
  const id = copyId(value as { id?: unknown });
  if (typeof prompt === "string" && messages === undefined) return { ...id, input: { prompt } };
  const roles: readonly unknown[] = ["system", "user", "assistant"];
  const ok =
    Array.isArray(messages) && messages.length > 0 && prompt === undefined && messages.every((message: unknown) => isMessage(message, roles));
  if (ok) return { ...id, input: { messages: messages as ChatMessage[] } };
  throw new StarboxError("invalid_input", `${file}:${line}: expected "messages" (role and content) or "prompt".`, {
    hint: 'For example {"id": 1, "messages": [{"role": "user", "content": "…"}]}.',
    zh: {
      message: `${file}:${line}：应有 messages（role 与 content）或 prompt。`,
      hint: '例如 {"id": 1, "messages": [{"role": "user", "content": "……"}]}。',
    },
  });
}

const isMessage = (message: unknown, roles: readonly unknown[]): boolean =>
  typeof message === "object" &&
  message !== null &&
  roles.includes((message as ChatMessage).role) &&
  typeof (message as ChatMessage).content === "string";

async function generateAll({ terminal, signal }: Cli, model: LanguageModel, prompts: readonly Prompt[], flags: Flags): Promise<number> {
  const progress = terminal.progress(terminal.text("generating", "生成"));
  let failed = 0;
  let done = 0;
  let next = 0;
  const waiting = new Map<number, () => void>();
  let printed = 0;
  const print = (index: number, write: () => void): void => {
    waiting.set(index, write);
    for (let ready = waiting.get(printed); ready !== undefined; ready = waiting.get(++printed)) {
      ready();
      waiting.delete(printed);
    }
  };
  const work = async (): Promise<void> => {
    while (next < prompts.length) {
      const index = next++;
      const prompt = prompts[index]!;
      signal.throwIfAborted();
      try {
        const line = await generateOne(model, prompt, flags, signal);
        print(index, () => terminal.result(line, `${prompts.length > 1 ? `# ${String(prompt.id ?? index + 1)}\n` : ""}${line.text}`));
      } catch (error) {
        if (signal.aborted || prompts.length === 1) throw error;
        failed++;
        print(index, () => {
          terminal.result({ ...copyId(prompt), error: toErrorRecord(error) }, "");
          terminal.error(error);
        });
      }
      progress.update(++done, prompts.length, `${done}/${prompts.length}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(flags.parallel, prompts.length) }, work));
  } finally {
    progress.end();
  }
  return failed > 0 ? 1 : 0;
}

async function generateOne(model: LanguageModel, prompt: Prompt, flags: Flags, signal: AbortSignal) {
  const since = performance.now();
  let first: number | null = null;
  let text = "";
  const stream = model.stream({
    input: prompt.input,
    temperature: flags.temperature,
    signal,
    ...(flags.maxTokens === undefined ? {} : { maxTokens: flags.maxTokens }),
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    ...(flags.topP === undefined ? {} : { topP: flags.topP }),
    ...(flags.topK === undefined ? {} : { topK: flags.topK }),
    ...(flags.minP === undefined ? {} : { minP: flags.minP }),
    ...(flags.repetitionPenalty === undefined ? {} : { repetitionPenalty: flags.repetitionPenalty }),
    ...(flags.presencePenalty === undefined ? {} : { presencePenalty: flags.presencePenalty }),
    ...(flags.frequencyPenalty === undefined ? {} : { frequencyPenalty: flags.frequencyPenalty }),
    ...(flags.stop === undefined ? {} : { stop: flags.stop }),
  });
  for await (const part of stream) {
    if (part.type === "text-delta") {
      first ??= performance.now() - since;
      text += part.text;
    }
    if (part.type === "finish") {
      const { promptTokens, completionTokens } = part.usage;
      const total = performance.now() - since;
      return {
        ...copyId(prompt),
        text,
        finish_reason: part.reason === "tool-calls" ? "tool_calls" : part.reason,
        usage: { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens },
        ms: { firstToken: Math.round(first ?? total), total: Math.round(total) },
      };
    }
  }
  throw new Error("The stream ended without its last part.");
}
