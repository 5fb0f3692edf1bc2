/** @file `starbox audit …`: who did what, whether the log is whole, and taking it out. */
import { type Command, Option } from "commander";
import type { AuditEntry, AuditQuery, AuditVerdict } from "#contracts";
import { withBox } from "../cli.ts";
import { wholeNumber } from "../options.ts";
import { type Terminal, table } from "../terminal.ts";
import type { Builder } from "./builder.ts";

type Flags = AuditQuery & { readonly limit?: number; readonly person?: string };

export function addAudit(program: Command, { add, t, run }: Builder): void {
  const audit = add(
    "audit",
    ["the audit log: list, verify, export", "审计日志：查看、校验、导出"],
    ["starbox audit list --action key.", "starbox audit verify", "starbox audit export --format jsonl > audit.jsonl"],
  );
  const filters = (command: Command): Command =>
    command
      .option("--action <PREFIX>", t("the action or its beginning (session., key.)", "操作或其开头（session.、key.）"))
      .option("--person <ID>", t("by or about this person", "由此人执行或与此人有关"))
      .option("--from <TIME>", t("from this moment (ISO 8601)", "起始时间（ISO 8601）"))
      .option("--to <TIME>", t("to this moment", "截止时间"));
  const queryOf = ({ person, limit: _, ...rest }: Flags): AuditQuery => ({ ...rest, ...(person === undefined ? {} : { personId: person }) });

  audit.addCommand(
    filters(add("list", ["newest first", "最新在前"], ["starbox audit list", "starbox audit list --person PERSON_ID --json"]))
      .addOption(new Option("--limit <N>", t("how many", "条数")).argParser(wholeNumber(1, 1000)).default(50))
      .action(async (flags: Flags) => {
        await run(async (cli) => {
          const { items } = await withBox(
            cli,
            async ({ services, actor }) => await services.audit.list(actor, { ...queryOf(flags), limit: flags.limit ?? 50 }),
          );
          if (cli.terminal.json) for (const entry of items) cli.terminal.result(entry, "");
          else cli.terminal.result(null, table(items.map(describe)));
        });
      }),
  );
  audit.addCommand(
    add(
      "verify",
      ["whether every row is there and unchanged; names what is not", "校验日志是否完整，并指出被改动或缺失的行"],
      ["starbox audit verify"],
    ).action(async () => {
      await run(async (cli) => {
        const verdict = await withBox(cli, async ({ services, actor }) => await services.audit.verify(actor));
        cli.terminal.result(verdict, present(verdict, cli.terminal));
        return verdict.ok ? 0 : 1;
      });
    }),
  );
  audit.addCommand(
    filters(
      add(
        "export",
        ["the log as lines, oldest first", "按行导出，最早在前"],
        ["starbox audit export > audit.jsonl", "starbox audit export --format syslog > audit.log"],
      ),
    )
      .addOption(
        new Option("--format <FORMAT>", t("jsonl or syslog (RFC 5424)", "jsonl 或 syslog（RFC 5424）")).choices(["jsonl", "syslog"]).default("jsonl"),
      )
      .action(async ({ format, ...flags }: Flags & { format: "jsonl" | "syslog" }) => {
        await run(async (cli) => {
          await withBox(cli, async ({ services, actor }) => {
            for await (const line of services.audit.export(actor, format, queryOf(flags)))
              cli.terminal.result(format === "jsonl" ? JSON.parse(line) : { line }, line);
          });
        });
      }),
  );
  program.addCommand(audit);
}

function describe(entry: AuditEntry): string[] {
  const subject = entry.subject === null ? "" : `${entry.subject.kind} ${entry.subject.id}`;
  return [String(entry.seq), entry.at, entry.actor?.name ?? "–", entry.action, entry.outcome, subject];
}

const words: Readonly<Record<AuditVerdict["problems"][number]["kind"], readonly [english: string, chinese: string]>> = {
  changed: ["changed", "被改动"],
  missing: ["missing", "缺失"],
  added: ["added by somebody else", "并非由星匣写入"],
  head: ["the signed head (audit.head) is missing or not this box's", "签名的日志头（audit.head）缺失或不属于本机"],
  "personal-part-missing": ["its personal part is missing, and no erasure names it", "个人信息部分缺失，且没有对应的删除记录"],
  "personal-part-changed": ["its personal part was changed", "个人信息部分被改动"],
};

function present(verdict: AuditVerdict, { text }: Terminal): string {
  const key = text(`Signing key ${verdict.fingerprint}`, `签名密钥 ${verdict.fingerprint}`);
  if (verdict.ok)
    return `${text(`Whole: ${verdict.rows} rows (${verdict.from} to ${verdict.to}).`, `完整：共 ${verdict.rows} 行（${verdict.from} 至 ${verdict.to}）。`)}\n${key}`;
  const lines = verdict.problems.map(({ kind, from, to }) => {
    const what = text(...words[kind]);
    if (kind === "head") return what;
    return from === to
      ? text(`row ${from}: ${what}`, `第 ${from} 行：${what}`)
      : text(`rows ${from} to ${to}: ${what}`, `第 ${from} 至 ${to} 行：${what}`);
  });
  return [text(`NOT whole: ${verdict.problemCount} problems.`, `不完整：发现 ${verdict.problemCount} 处问题。`), ...lines, key].join("\n");
}
