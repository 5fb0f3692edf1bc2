/** @file `starbox ask`: answers with citations, or an honest refusal with the nearest passages. */
import type { Command } from "commander";
import { toErrorRecord } from "#base";
import type { Answer, Citation } from "#contracts";
import { type Cli, type Connection, withBox } from "../cli.ts";
import { copyId, type Question, readQuestions, wholeNumber } from "../options.ts";
import type { Terminal } from "../terminal.ts";
import type { Builder } from "./builder.ts";

type Flags = { readonly questions?: string; readonly model?: string; readonly maxTokens?: number };

export function addAsk(program: Command, { add, t, run }: Builder): void {
  const command = add(
    "ask",
    ["ask a knowledge base; every sentence names its source", "向知识库提问，每句话都注明出处"],
    [
      "starbox ask laws 试用期最长多久？",
      "starbox ask laws 加班费怎么算？ --json",
      "starbox ask laws --questions questions.jsonl --json > answers.jsonl",
    ],
  )
    .argument("<NAME>", t("the base's name", "知识库名称"))
    .argument("[QUESTION...]", t("the question", "问题"))
    .option("--questions <FILE>", t('many at once: a file of {"id", "question"} lines', '批量提问：每行一个 {"id", "question"} 的文件'))
    .option("--model <ID>", t("the language model (default: the box's)", "语言模型（默认为星匣的默认模型）"))
    .option("--max-tokens <N>", t("longest answer", "回答的最大长度"), wholeNumber(1, 32_768))
    .action(async (name: string, words: readonly string[], flags: Flags) => {
      await run(async (cli) => {
        const questions = readQuestions(words, flags.questions, "--questions");
        return await withBox(cli, async (box) => await askAll(cli, box, name, questions, flags));
      });
    });
  program.addCommand(command);
}

async function askAll(cli: Cli, box: Connection, name: string, questions: readonly Question[], flags: Flags): Promise<number> {
  const { terminal, signal } = cli;
  const base = await box.services.knowledge.readBase(box.actor, name); // an unknown name fails before the first question
  const progress = terminal.progress(terminal.text("answering", "回答"));
  let failed = 0;
  for (const [index, question] of questions.entries()) {
    signal.throwIfAborted();
    try {
      if (questions.length > 1) terminal.write(`# ${question.question}\n`);
      const answer = await askOne(cli, box, base.name, question.question, flags);
      terminal.result({ ...copyId(question), ...present(question.question, answer) }, humanEnd(answer, terminal));
    } catch (error) {
      if (questions.length === 1 || signal.aborted) throw error;
      failed++;
      terminal.result({ ...copyId(question), question: question.question, error: toErrorRecord(error) }, "");
      terminal.error(error);
    }
    progress.update(index + 1, questions.length, `${index + 1}/${questions.length}`);
  }
  progress.end();
  return failed > 0 ? 1 : 0;
}

async function askOne({ terminal, signal }: Cli, { services, actor }: Connection, base: string, question: string, flags: Flags): Promise<Answer> {
  const parts = services.answers.answer(actor, {
    kbs: [base],
    messages: [{ role: "user", content: question }],
    signal,
    ...(flags.model === undefined ? {} : { model: flags.model }),
    ...(flags.maxTokens === undefined ? {} : { maxTokens: flags.maxTokens }),
  });
  let answer: Answer | null = null;
  let streamed = "";
  for await (const part of parts) {
    if (part.type === "text-delta") {
      streamed += part.text;
      terminal.write(part.text);
    }
    if (part.type === "finish") answer = part.answer;
  }
  if (answer === null) throw new Error("The answer ended without its last part.");
  if (streamed === "") terminal.write(answer.text);
  return answer;
}

/** The promised shape, with more behind it. */
function present(question: string, answer: Answer): Record<string, unknown> {
  const { usage, ms } = answer;
  return {
    question,
    answer: answer.text,
    refused: answer.refused,
    citations: answer.citations.map(({ marker, document, page, start, end, quote, documentId, title }) => ({
      marker,
      document,
      page,
      start,
      end,
      quote,
      documentId,
      title,
    })),
    usage: { prompt_tokens: usage.promptTokens, completion_tokens: usage.completionTokens },
    ms: { retrieve: ms.retrieve, firstToken: ms.firstToken, total: ms.total },
    origin: answer.origin,
    confidence: answer.confidence,
    model: answer.lineage.model,
    ...(answer.refusal === undefined
      ? {}
      : {
          refusal: {
            reason: answer.refusal.reason,
            nearest: answer.refusal.nearest.map(({ document, documentId, page, start, end, text, score }) => ({
              document,
              documentId,
              page,
              start,
              end,
              text,
              score,
            })),
          },
        }),
  };
}

function humanEnd(answer: Answer, terminal: Terminal): string {
  const nearest = (answer.refusal?.nearest ?? [])
    .slice(0, 3)
    .map((hit) => `  ${hit.document}${page(hit, terminal)}${terminal.text(": ", "：")}${short(hit.text)}`);
  if (answer.refused) return `\n${nearest.length === 0 ? "" : `\n${terminal.text("Nearest passages:", "最接近的段落：")}\n${nearest.join("\n")}\n`}`;
  const sources = answer.citations.map(
    (citation) => `[${citation.marker}] ${citation.document}${page(citation, terminal)}${terminal.text(": ", "：")}${short(citation.quote)}`,
  );
  return `\n${sources.length === 0 ? "" : `\n${sources.join("\n")}\n`}`;
}

const page = (from: Pick<Citation, "page">, { text }: Terminal): string =>
  from.page === null ? "" : text(`, page ${from.page}`, ` 第 ${from.page} 页`);
const short = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
};
