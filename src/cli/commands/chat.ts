/** @file `starbox chat`: a conversation in the terminal, kept by the box like one in the console. From a pipe: a question a line. */
import readline from "node:readline";
import type { Command } from "commander";
import { type ErrorRecord, fromErrorRecord } from "#base";
import type { ChatInfo } from "#contracts";
import { type Cli, type Connection, withBox } from "../cli.ts";
import type { Builder } from "./builder.ts";

type Flags = { readonly model?: string; readonly kb?: readonly string[] };

export function addChat(program: Command, { add, t, run }: Builder): void {
  const command = add(
    "chat",
    ["talk in the terminal, with or without knowledge bases", "在终端中对话，可使用知识库"],
    ["starbox chat", "starbox chat --kb laws", "starbox chat --model qwen2.5-coder-0.5b-instruct"],
  )
    .option("--model <ID>", t("the language model (default: the box's)", "语言模型（默认为星匣的默认模型）"))
    .option("--kb <NAME...>", t("knowledge bases to answer from", "回答所依据的知识库"))
    .action(async (flags: Flags) => {
      await run(async (cli) => await withBox(cli, async (box) => await talk(cli, box, flags)));
    });
  program.addCommand(command);
}

async function talk(cli: Cli, box: Connection, flags: Flags): Promise<void> {
  const { terminal, stdin, signal } = cli;
  const { services, actor } = box;
  const kbIds = await Promise.all((flags.kb ?? []).map(async (name) => (await services.knowledge.readBase(actor, name)).id));
  let chat: ChatInfo | null = null;
  const interactive = stdin.isTTY === true;
  if (interactive) terminal.note("Type a question; /new starts again, /exit or Ctrl-D ends.", "输入问题即可；/new 重新开始，/exit 或 Ctrl-D 结束。");
  const lines = readline.createInterface({ input: stdin, ...(interactive ? { output: process.stderr, prompt: "› " } : {}) });
  const onAbort = (): void => lines.close();
  signal.addEventListener("abort", onAbort, { once: true });
  if (interactive) lines.prompt();
  for await (const line of lines) {
    const question = line.trim();
    if (question === "/exit" || signal.aborted) break;
    if (question === "/new") chat = null;
    else if (question !== "") {
      chat ??= await services.chats.createChat(actor, { kbIds, ...(flags.model === undefined ? {} : { model: flags.model }) });
      try {
        await answer(cli, box, chat.id, question);
      } catch (error) {
        if (!interactive) throw error;
        terminal.error(error);
      }
    }
    if (interactive) lines.prompt();
  }
  signal.removeEventListener("abort", onAbort);
  lines.close();
}

async function answer({ terminal, signal }: Cli, { services, actor }: Connection, chatId: string, content: string): Promise<void> {
  for await (const part of services.chats.ask(actor, chatId, { content, signal })) {
    if (part.type === "queued" && part.position > 0)
      terminal.note(`Waiting: place ${part.position} in the queue.`, `排队中：第 ${part.position} 位。`);
    else if (part.type === "text-delta") terminal.write(part.text);
    else if (part.type === "error") throw fromErrorRecord(part.error as ErrorRecord);
    else if (part.type === "finish") {
      const sources = part.turn.citations.map(
        (citation) =>
          `[${citation.marker}] ${citation.document}${citation.page === null ? "" : terminal.text(`, page ${citation.page}`, ` 第 ${citation.page} 页`)}`,
      );
      terminal.result(
        { question: content, answer: part.turn.content, refused: part.turn.refused, citations: part.turn.citations },
        `\n${sources.length === 0 ? "" : `${sources.join("\n")}\n`}`,
      );
    }
  }
}
