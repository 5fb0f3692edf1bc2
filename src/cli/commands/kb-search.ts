/** @file `starbox kb search`: retrieval by the same path as chat and API. Results in the order of the questions. */
import type { Command } from "commander";
import { toErrorRecord } from "#base";
import type { RetrieveHit } from "#contracts";
import { type Cli, type Connection, withBox } from "../cli.ts";
import { copyId, type Question, readQuestions, wholeNumber } from "../options.ts";
import type { Terminal } from "../terminal.ts";
import type { Builder } from "./builder.ts";

type Flags = { readonly queries?: string; readonly limit: number; readonly wordsOnly?: boolean };

export function addKbSearch(kb: Command, { add, t, run }: Builder): void {
  const command = add(
    "search",
    ["find passages by words and meaning", "按词语与语义检索段落"],
    [
      "starbox kb search laws 试用期最长多久",
      "starbox kb search laws 工资拖欠 --limit 3 --json",
      "starbox kb search laws --queries questions.jsonl --json > hits.jsonl",
    ],
  )
    .argument("<NAME>", t("the base's name", "知识库名称"))
    .argument("[QUERY...]", t("what to look for", "检索内容"))
    .option("--queries <FILE>", t('many at once: a file of {"id", "question"} lines', '批量检索：每行一个 {"id", "question"} 的文件'))
    .option("--limit <N>", t("passages to a query", "每个问题返回的段落数"), wholeNumber(1, 200), 10)
    .option("--words-only", t("by words alone, without vectors", "只按词语检索，不使用向量"))
    .action(async (name: string, query: readonly string[], flags: Flags) => {
      await run(async (cli) => {
        const questions = readQuestions(query, flags.queries, "--queries");
        return await withBox(cli, async (box) => await search(cli, box, name, questions, flags));
      });
    });
  kb.addCommand(command);
}

async function search(
  { terminal, signal }: Cli,
  { services, actor }: Connection,
  name: string,
  questions: readonly Question[],
  flags: Flags,
): Promise<number> {
  const base = await services.knowledge.readBase(actor, name);
  const progress = terminal.progress(terminal.text("searching", "检索"));
  let failed = 0;
  for (const [index, question] of questions.entries()) {
    signal.throwIfAborted();
    try {
      const found = await services.knowledge.search(actor, base.id, {
        query: question.question,
        limit: flags.limit,
        lexicalOnly: flags.wordsOnly === true,
        signal,
      });
      terminal.result(
        {
          ...copyId(question),
          query: question.question,
          results: found.hits.map(presentHit),
          ms: found.ms,
          mode: found.mode,
          ...(found.note === undefined ? {} : { note: found.note }),
        },
        `${questions.length > 1 ? `# ${question.question}\n` : ""}${found.hits.map((hit, rank) => humanHit(hit, rank, terminal)).join("\n")}`,
      );
      if (!terminal.json && found.hits.length === 0) terminal.note("Nothing found.", "没有找到。");
      if (!terminal.json && found.mode === "words" && flags.wordsOnly !== true)
        terminal.note(
          `By words only${found.note === undefined ? "" : `: ${found.note}`}.`,
          `仅按词语检索${found.note === undefined ? "" : `：${found.note}`}。`,
        );
    } catch (error) {
      if (questions.length === 1 || signal.aborted) throw error;
      failed++;
      terminal.result({ ...copyId(question), query: question.question, results: [], error: toErrorRecord(error) }, "");
      terminal.error(error);
    }
    progress.update(index + 1, questions.length, `${index + 1}/${questions.length}`);
  }
  progress.end();
  return failed > 0 ? 1 : 0;
}

function presentHit(hit: RetrieveHit): Record<string, unknown> {
  const { document, documentId, page, start, end, text, score, ranks, title, context, label, edition, cosine, chunkId } = hit;
  return { document, documentId, page, start, end, text, score, ranks, title, context, label, edition, cosine, chunkId };
}

function humanHit(hit: RetrieveHit, index: number, { text }: Terminal): string {
  const where = [hit.document, hit.label ?? "", hit.page === null ? "" : text(`page ${hit.page}`, `第 ${hit.page} 页`)]
    .filter((part) => part !== "")
    .join(" · ");
  const ranks = [text("words", "词语"), hit.ranks.lexical ?? "–", text("meaning", "语义"), hit.ranks.dense ?? "–"].join(" ");
  const old = hit.edition?.state === "superseded" ? text(" [superseded]", " [已被取代]") : "";
  const body = hit.text.replace(/\s+/g, " ").trim();
  return `${index + 1}. ${where}${old}  (${ranks})\n   ${body.length > 200 ? `${body.slice(0, 200)}…` : body}`;
}
