/** @file `starbox …`: reads the arguments, runs one command, turns errors into exit codes: 0 done, 1 failed, 2 wrong usage. */
import path from "node:path";
import { Command, CommanderError, Option } from "commander";
import { chooseLanguage, type Language, loadSettings, type Settings, StarboxError } from "#base";
import { type Cli, type CliParts, readSettings } from "./cli.ts";
import type { Adder } from "./commands/builder.ts";
import { commands } from "./commands/index.ts";
import { connect } from "./connect.ts";
import { createTerminal, type Streams, type Terminal } from "./terminal.ts";

type Flags = { readonly json?: boolean; readonly data?: string; readonly lang?: "zh" | "en" };

export type RunOptions = { readonly streams?: Streams; readonly stdin?: Cli["stdin"]; readonly signal?: AbortSignal };

/** `argv` without node and script. Never ends the process: the caller sets the exit code. */
export async function runCli(argv: readonly string[], parts: CliParts, options: RunOptions = {}): Promise<number> {
  const streams = options.streams ?? process;
  const language = languageOf(argv);
  const json = argv.includes("--json");
  const terminal = createTerminal({ language, json, streams });
  const stop = options.signal === undefined ? interruptible() : { signal: options.signal, end: () => undefined };
  let code = 0;
  const t = (english: string, chinese: string): string => (language === "zh" ? chinese : english);
  const program = new Command("starbox");
  const add: Adder = (name, description, example) => {
    const command = new Command(name);
    command.description(t(...description)).addHelpText("after", `\n${t("Examples:", "示例：")}\n${example.map((line) => `  ${line}`).join("\n")}`);
    return command;
  };
  prepare(program, t, streams, parts.version);
  for (const build of commands) {
    build(program, {
      add,
      t,
      run: async (work, flags = {}) => {
        const { data, lang } = program.opts<Flags>();
        const settings = readSettings({
          ...flags,
          ...(data === undefined ? {} : { data: path.resolve(data) }),
          ...(lang === undefined ? {} : { lang }),
        });
        const cli: Cli = {
          terminal,
          settings,
          parts,
          signal: stop.signal,
          stdin: options.stdin ?? process.stdin,
          connect: (changes) => connect({ ...settings, ...changes }, parts, terminal, stop.signal),
        };
        code = (await work(cli)) ?? 0;
      },
    });
  }
  passOn(program);
  // Threads and engines do not hold the process on their own: a command that waits for one must.
  const awake = setInterval(() => undefined, 1 << 30);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    return failed(error, terminal, stop.signal, t);
  } finally {
    clearInterval(awake);
    stop.end();
  }
}

function prepare(program: Command, t: (english: string, chinese: string) => string, streams: Streams, version: string): void {
  program
    .description(t("Starbox: language models and your documents on hardware you own.", "星匣：在自己的硬件上运行语言模型、使用自己的文档。"))
    .version(version, "--version", t("print the version", "显示版本"))
    .option("--json", t("JSON Lines on stdout and nothing else; never asks back", "标准输出只有 JSON Lines，不做任何询问"))
    .option("--data <DIR>", t("the box's data folder (STARBOX_DATA; default ~/.starbox)", "星匣的数据文件夹（STARBOX_DATA，默认 ~/.starbox）"))
    .addOption(new Option("--lang <LANG>", t("language of messages", "提示语言")).choices(["zh", "en"]))
    .helpOption("-h, --help", t("show help with examples", "显示帮助和示例"))
    .helpCommand(false)
    .addHelpText(
      "after",
      `\n${t("Examples:", "示例：")}
  starbox start
  starbox kb create laws
  starbox kb add laws ./samples --wait
  starbox kb search laws 试用期最长多久
  starbox ask laws 试用期最长多久？
  STARBOX_URL=http://box.lan:8480 STARBOX_KEY=sb-… starbox ask laws 试用期最长多久？ --json

${t("Exit status: 0 done, 1 failed, 2 wrong usage. Settings: docs/env.md", "退出码：0 完成，1 失败，2 用法错误。全部设置见 docs/env.md")}`,
    );
  const titles: Readonly<Record<string, string>> = {
    "Usage:": "用法：",
    "Options:": "选项：",
    "Commands:": "命令：",
    "Arguments:": "参数：",
    "Global Options:": "通用选项：",
  };
  program.configureHelp({
    showGlobalOptions: true,
    styleTitle: (title) => t(title, titles[title] ?? title),
    subcommandTerm: (command) => `${command.name()} ${command.usage().replace("[options] ", "").replace("[options]", "")}`.trim(),
  });
  program.configureOutput({
    writeOut: (text) => streams.stdout.write(text),
    writeErr: (text) => streams.stderr.write(text),
    outputError: () => undefined,
    getOutHelpWidth: () => 120,
  });
  program.exitOverride();
}

/** Commands inherit how the program prints and exits. */
function passOn(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent).helpCommand(false);
    passOn(command);
  }
}

function failed(error: unknown, terminal: Terminal, signal: AbortSignal, t: (english: string, chinese: string) => string): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    terminal.error(
      new StarboxError("usage", usageText(error, "en"), {
        hint: "starbox --help and starbox COMMAND --help show examples.",
        zh: { message: usageText(error, "zh"), hint: "starbox --help 与 starbox 命令 --help 给出了示例。" },
      }),
    );
    return 2;
  }
  if (signal.aborted) {
    terminal.note(t("Stopped.", "已停止。"), "已停止。");
    return 1;
  }
  terminal.error(error);
  return StarboxError.is(error, "usage") ? 2 : 1;
}

const usageZh: Readonly<Record<string, (what: string) => string>> = {
  "commander.unknownOption": (what) => `没有选项“${what}”。`,
  "commander.unknownCommand": (what) => `没有命令“${what}”。`,
  "commander.missingArgument": (what) => `缺少参数 ${what}。`,
  "commander.excessArguments": () => "参数过多。",
  "commander.optionMissingArgument": (what) => `选项 ${what} 缺少取值。`,
  "commander.missingMandatoryOptionValue": (what) => `必须给出选项 ${what}。`,
  "commander.invalidArgument": (what) => `取值有误：${what}。`,
};

function usageText(error: CommanderError, language: Language): string {
  const english = error.code === "commander.help" ? "A command is missing." : `${error.message.replace(/^error: /, "").replace(/\s*\n.*$/s, "")}.`;
  if (language === "en") return english.replace(/\.\.$/, ".").replace(/^./, (first) => first.toUpperCase());
  const what = /'([^']+)'/.exec(error.message)?.[1] ?? "";
  return error.code === "commander.help" ? "缺少命令。" : (usageZh[error.code]?.(what) ?? english);
}

/** --lang wins, then STARBOX_LANG, then the locale. Bad settings are reported later, in the locale's language. */
function languageOf(argv: readonly string[]): Language {
  const at = argv.findIndex((arg) => arg === "--lang" || arg.startsWith("--lang="));
  const given = at < 0 ? undefined : argv[at]!.includes("=") ? argv[at]!.slice(7) : argv[at + 1];
  if (given === "zh" || given === "en") return given;
  let setting: Settings["lang"] = "auto";
  try {
    setting = loadSettings().lang;
  } catch {
    // reported when the command reads its settings
  }
  return chooseLanguage(setting);
}

/** The first Ctrl-C stops in order; the second one ends at once. */
function interruptible(): { readonly signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) return; // a group and its leader may both pass the same signal on
    controller.abort(new StarboxError("cancelled", "Stopped.", { zh: { message: "已停止。" } }));
    setTimeout(() => process.on("SIGINT", () => process.exit(130)), 1000).unref();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    end() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
