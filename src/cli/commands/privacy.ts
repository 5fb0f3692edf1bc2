/** @file `starbox privacy …`: masks, retention, holds, one person's data. */

import fs from "node:fs";
import { type Command, Option } from "commander";
import { StarboxError } from "#base";
import type { HoldKind, MaskKind, MaskPolicy, RetentionPolicy } from "#contracts";
import { withBox } from "../cli.ts";
import { wholeNumber } from "../options.ts";
import { table } from "../terminal.ts";
import type { Builder } from "./builder.ts";

const kinds = ["mobile", "identity", "bankCard", "email", "word"] as const satisfies readonly MaskKind[];
const periods = [
  ["--history", "historyDays"],
  ["--uploads", "uploadsDays"],
  ["--logs", "logsDays"],
  ["--audit", "auditDays"],
  ["--usage", "usageDays"],
] as const satisfies readonly (readonly [string, keyof RetentionPolicy])[];

export function addPrivacy(program: Command, builder: Builder): void {
  const privacy = builder.add(
    "privacy",
    ["masks, retention, legal holds, a person's data", "脱敏、保留期限、法律保留、个人数据"],
    [
      "starbox privacy masks --input mobile,identity --output mobile,identity --stored mobile,identity",
      "starbox privacy retention --history 180 --logs 90",
      "starbox privacy hold person PERSON_ID --reason 诉讼",
      "starbox privacy export zhang@example.com > zhang.jsonl",
      "starbox privacy erase zhang@example.com",
    ],
  );
  addMasks(privacy, builder);
  addRetention(privacy, builder);
  addHolds(privacy, builder);
  addPerson(privacy, builder);
  program.addCommand(privacy);
}

type MaskFlags = Readonly<Partial<Record<"input" | "output" | "stored", string>>> & {
  readonly onInput?: MaskPolicy["onInput"];
  readonly words?: string;
  readonly history?: boolean;
};

function addMasks(privacy: Command, { add, t, run }: Builder): void {
  privacy.addCommand(
    add(
      "masks",
      ["show or change what is masked where", "查看或修改脱敏策略"],
      ["starbox privacy masks", "starbox privacy masks --output mobile,email --words words.txt", "starbox privacy masks --history"],
    )
      .option("--input <KINDS>", t(`of ${kinds.join(", ")}, or none: before search and model`, `${kinds.join("、")} 或 none：进入检索与模型之前`))
      .option("--output <KINDS>", t("in answers and quotes", "回答与引文"))
      .option("--stored <KINDS>", t("in chats, answers and gaps that are kept", "保存的对话、回答与知识缺口"))
      .addOption(new Option("--on-input <WHAT>", t("mask, or refuse the request", "脱敏或拒绝请求")).choices(["mask", "refuse"]))
      .option("--words <FILE>", t("the house's word list, one a line", "敏感词表文件，每行一个"))
      .option("--history", t("also mask what is stored already", "同时处理已保存的历史"))
      .action(async ({ words, history, ...flags }: MaskFlags) => {
        await run(async (cli) => {
          const patch = {
            ...Object.fromEntries(
              (["input", "output", "stored"] as const).flatMap((place) => (flags[place] === undefined ? [] : [[place, readKinds(flags[place])]])),
            ),
            ...(flags.onInput === undefined ? {} : { onInput: flags.onInput }),
            ...(words === undefined ? {} : { words: readWords(words) }),
          };
          await withBox(cli, async ({ services, actor }) => {
            const policy =
              Object.keys(patch).length === 0 ? await services.privacy.readMasks(actor) : await services.privacy.writeMasks(actor, patch);
            const shown = (list: readonly MaskKind[]): string => (list.length === 0 ? "–" : list.join(", "));
            cli.terminal.result(
              policy,
              table([
                ["input", shown(policy.input), policy.onInput],
                ["output", shown(policy.output), ""],
                ["stored", shown(policy.stored), ""],
                [cli.terminal.text("words", "词表"), String(policy.words.length), ""],
              ]),
            );
            if (history !== true) return;
            const done = await services.privacy.maskHistory(actor);
            cli.terminal.result(
              done,
              cli.terminal.text(`Masked ${done.turns} turns, ${done.answers} answers.`, `已处理 ${done.turns} 条消息、${done.answers} 条回答。`),
            );
          });
        });
      }),
  );
}

function addRetention(privacy: Command, { add, t, run }: Builder): void {
  const command = add(
    "retention",
    ["show or change how long what is kept (days, or forever)", "查看或修改保留期限（天数，或 forever）"],
    ["starbox privacy retention", "starbox privacy retention --history 180 --logs 90", "starbox privacy retention --run"],
  ).option("--run", t("remove now what is due", "立即清理到期内容"));
  for (const [flag] of periods) command.option(`${flag} <DAYS>`);
  command.action(async ({ run: now, ...flags }: { run?: boolean } & Record<string, string | undefined>) => {
    await run(async (cli) => {
      const patch = Object.fromEntries(
        periods.flatMap(([flag, name]) => (flags[flag.slice(2)] === undefined ? [] : [[name, readDays(flags[flag.slice(2)] ?? "")]])),
      );
      await withBox(cli, async ({ services, actor }) => {
        const policy =
          Object.keys(patch).length === 0 ? await services.privacy.readRetention(actor) : await services.privacy.writeRetention(actor, patch);
        const shown = (days: number | null): string =>
          days === null ? cli.terminal.text("for ever", "永久") : cli.terminal.text(`${days} days`, `${days} 天`);
        cli.terminal.result(policy, table(periods.map(([flag, name]) => [flag.slice(2), shown(policy[name])])));
        if (now !== true) return;
        const report = await services.privacy.runRetention(actor);
        cli.terminal.result(
          report,
          Object.entries(report.removed)
            .map(([name, count]) => `${name} ${count}`)
            .join("  "),
        );
        if (report.held > 0) cli.terminal.note(`${report.held} kept by legal holds.`, `${report.held} 项因法律保留未删除。`);
      });
    });
  });
  privacy.addCommand(command);
}

function addHolds(privacy: Command, { add, t, run }: Builder): void {
  privacy.addCommand(
    add("holds", ["legal holds", "列出法律保留"], ["starbox privacy holds"]).action(async () => {
      await run(async (cli) => {
        const holds = await withBox(cli, async ({ services, actor }) => await services.privacy.listHolds(actor));
        for (const hold of holds)
          cli.terminal.result(
            hold,
            [hold.id, hold.kind, hold.subject, hold.reason, hold.releasedAt === null ? cli.terminal.text("open", "生效中") : hold.releasedAt].join(
              "  ",
            ),
          );
        if (holds.length === 0) cli.terminal.note("No holds.", "没有法律保留。");
      });
    }),
  );
  privacy.addCommand(
    add(
      "hold",
      ["keep something whatever else says", "设置法律保留"],
      ["starbox privacy hold base KB_ID --reason 审计", "starbox privacy hold everything --reason 调查"],
    )
      .argument("<KIND>", "everything, person, base, document, chat")
      .argument("[ID]", t("its id", "编号"))
      .requiredOption("--reason <TEXT>", t("why", "原因"))
      .action(async (kind: string, id: string | undefined, { reason }: { reason: string }) => {
        await run(async (cli) => {
          if (!["everything", "person", "base", "document", "chat"].includes(kind))
            throw new StarboxError("usage", `Expected everything, person, base, document or chat, got "${kind}".`, {
              zh: { message: `应为 everything、person、base、document 或 chat，收到“${kind}”。` },
            });
          const hold = await withBox(
            cli,
            async ({ services, actor }) => await services.privacy.addHold(actor, { kind: kind as HoldKind, subject: id ?? "", reason }),
          );
          cli.terminal.result(hold, cli.terminal.text(`Held: ${hold.id}`, `已设置保留：${hold.id}`));
        });
      }),
  );
  privacy.addCommand(
    add("release", ["release a hold", "解除法律保留"], ["starbox privacy release HOLD_ID"])
      .argument("<ID>", t("the hold's id", "保留编号"))
      .action(async (id: string) => {
        await run(async (cli) => {
          await withBox(cli, async ({ services, actor }) => await services.privacy.releaseHold(actor, id));
          cli.terminal.result({ id, released: true }, cli.terminal.text("Released.", "已解除。"));
        });
      }),
  );
}

function addPerson(privacy: Command, { add, t, run }: Builder): void {
  const person = t("id or e-mail", "编号或邮箱");
  privacy.addCommand(
    add("export", ["a person's data as JSON Lines", "导出某人的全部数据（JSON Lines）"], ["starbox privacy export zhang@example.com > zhang.jsonl"])
      .argument("<PERSON>", person)
      .action(async (id: string) => {
        await run(async (cli) => {
          await withBox(cli, async ({ services, actor }) => {
            for await (const line of services.privacy.exportPerson(actor, id)) cli.terminal.result(JSON.parse(line), line);
          });
        });
      }),
  );
  privacy.addCommand(
    add("erase", ["erase a person's data, with a report", "删除某人的全部数据并给出报告"], ["starbox privacy erase zhang@example.com"])
      .argument("<PERSON>", person)
      .action(async (id: string) => {
        await run(async (cli) => {
          const report = await withBox(cli, async ({ services, actor }) => await services.privacy.erasePerson(actor, id));
          const { text } = cli.terminal;
          cli.terminal.result(
            report,
            [
              text(`Erased: ${report.id}`, `已删除：${report.id}`),
              ...Object.entries(report.erased).map(([where, count]) => `  ${where}  ${count}`),
              ...report.kept.map((item) => `  ${text("kept", "保留")} ${item.what} ${item.count}: ${text(item.why, item.zh)}`),
              report.traces.length === 0
                ? text("No trace left.", "没有残留。")
                : text(`Traces left in: ${report.traces.join(", ")}`, `仍有残留：${report.traces.join("、")}`),
            ].join("\n"),
          );
          return report.traces.length === 0 ? 0 : 1;
        });
      }),
  );
}

function readKinds(raw: string | undefined): readonly MaskKind[] {
  const given = (raw ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "" && part !== "none");
  const wrong = given.filter((part) => !kinds.includes(part as MaskKind));
  if (wrong.length > 0)
    throw new StarboxError("usage", `Expected some of ${kinds.join(", ")} or none, got ${wrong.join(", ")}.`, {
      zh: { message: `应为 ${kinds.join("、")} 或 none，收到 ${wrong.join("、")}。` },
    });
  return given as MaskKind[];
}

function readDays(raw: string): number | null {
  return raw === "forever" ? null : wholeNumber(1, 36_500)(raw);
}

function readWords(file: string): readonly string[] {
  try {
    return fs
      .readFileSync(file, "utf8")
      .replace(/^\ufeff/, "")
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== "");
  } catch (error) {
    throw new StarboxError("not_found", `Cannot read "${file}": ${(error as Error).message}.`, {
      zh: { message: `无法读取“${file}”：${(error as Error).message}。` },
    });
  }
}
