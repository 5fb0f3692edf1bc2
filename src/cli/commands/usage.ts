/** @file `starbox usage`: requests and tokens as the engine counted them. */
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { UsageGroup, UsageQuery, UsageSum } from "#contracts";
import { withBox } from "../cli.ts";
import { table } from "../terminal.ts";
import type { Builder } from "./builder.ts";

const groups = ["day", "person", "team", "key", "model"] as const;
type Flags = UsageQuery & { readonly person?: string; readonly team?: string; readonly key?: string; readonly csv?: boolean };

export function addUsage(program: Command, { add, t, run }: Builder): void {
  program.addCommand(
    add(
      "usage",
      ["requests and tokens by day, person, team, key, model", "按日期、人员、团队、密钥、模型统计请求与词元"],
      ["starbox usage", "starbox usage --by day,model --from 2026-01-01", "starbox usage --csv > usage.csv"],
    )
      .option("--by <GROUPS>", t("day, person, team, key, model (comma-separated)", "day、person、team、key、model（逗号分隔）"), readGroups)
      .option("--from <DAY>", t("first day (YYYY-MM-DD)", "起始日期（YYYY-MM-DD）"), readDay)
      .option("--to <DAY>", t("last day", "截止日期"), readDay)
      .option("--person <ID>", t("only this person", "只看此人"))
      .option("--team <ID>", t("only this team", "只看此团队"))
      .option("--key <ID>", t("only this key", "只看此密钥"))
      .option("--model <ID>", t("only this model", "只看此模型"))
      .option("--csv", t("as CSV", "以 CSV 输出"))
      .action(async ({ person, team, key, csv, ...rest }: Flags) => {
        await run(async (cli) => {
          const query: UsageQuery = {
            ...rest,
            ...(person === undefined ? {} : { personId: person }),
            ...(team === undefined ? {} : { teamId: team }),
            ...(key === undefined ? {} : { keyId: key }),
          };
          await withBox(cli, async ({ services, actor }) => {
            if (csv === true) return cli.terminal.write(await services.usage.csv(actor, query));
            const rows = await services.usage.sum(actor, { by: ["day", "model"], ...query });
            if (cli.terminal.json) for (const row of rows) cli.terminal.result(row, "");
            else if (rows.length === 0) cli.terminal.note("Nothing was used yet.", "还没有用量。");
            else {
              const { text } = cli.terminal;
              const head = [...(query.by ?? ["day", "model"]), text("requests", "请求"), text("prompt", "输入词元"), text("completion", "输出词元")];
              cli.terminal.result(null, table([head, ...rows.map((row) => line(row, query.by ?? ["day", "model"]))]));
            }
          });
        });
      }),
  );
}

const fields = { day: "day", person: "personId", team: "teamId", key: "keyId", model: "model" } as const satisfies Record<UsageGroup, keyof UsageSum>;
const line = (row: UsageSum, by: readonly UsageGroup[]): string[] => [
  ...by.map((name) => row[fields[name]] ?? "–"),
  String(row.requests),
  String(row.promptTokens),
  String(row.completionTokens),
];

function readGroups(raw: string): readonly UsageGroup[] {
  const given = raw.split(",").map((part) => part.trim());
  const wrong = given.filter((part) => !groups.includes(part as UsageGroup));
  if (wrong.length > 0) throw new InvalidArgumentError(`expected some of ${groups.join(", ")}, got ${wrong.join(", ")}`);
  return given as UsageGroup[];
}

function readDay(raw: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(raw) && !Number.isNaN(Date.parse(raw))) return raw;
  throw new InvalidArgumentError("expected YYYY-MM-DD");
}
