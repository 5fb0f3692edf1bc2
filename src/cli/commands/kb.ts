/** @file `starbox kb …`: knowledge bases. Adding and searching have files of their own. */
import type { Command } from "commander";
import type { KnowledgeBaseInfo } from "#contracts";
import { withBox } from "../cli.ts";
import { duration, type Terminal, table } from "../terminal.ts";
import type { Builder } from "./builder.ts";
import { addKbAdd } from "./kb-add.ts";
import { addKbCare } from "./kb-care.ts";
import { addKbSearch } from "./kb-search.ts";
import { addKbShare } from "./kb-share.ts";

export function addKb(program: Command, builder: Builder): void {
  const { add, t, run } = builder;
  const kb = add(
    "kb",
    ["knowledge bases: create, fill, search, remove", "知识库：新建、添加文档、检索、删除"],
    ["starbox kb create laws", "starbox kb add laws ./samples --wait", "starbox kb search laws 试用期最长多久", "starbox kb status laws"],
  );
  const name = t("the base's name", "知识库名称");

  kb.addCommand(
    add("list", ["every knowledge base", "列出全部知识库"], ["starbox kb list", "starbox kb list --json"]).action(async () => {
      await run(async (cli) => {
        const bases = await withBox(cli, async ({ services, actor }) => await services.knowledge.listBases(actor));
        if (cli.terminal.json) for (const base of bases) cli.terminal.result(base, "");
        else if (bases.length === 0) cli.terminal.note("No knowledge base yet: starbox kb create NAME.", "还没有知识库：starbox kb create 名称。");
        else cli.terminal.result(null, table(bases.map((base) => [base.name, ...counts(base, cli.terminal)])));
      });
    }),
  );
  kb.addCommand(
    add(
      "create",
      ["make an empty knowledge base", "新建空知识库"],
      ["starbox kb create laws", "starbox kb create 人事制度 --description 人力资源部的制度文件"],
    )
      .argument("<NAME>", name)
      .option("--description <TEXT>", t("what is in it", "说明"))
      .option("--everyone", t("let everyone who signs in read it", "让所有成员可查看"))
      .action(async (baseName: string, flags: { description?: string; everyone?: boolean }) => {
        await run(async (cli) => {
          const base = await withBox(
            cli,
            async ({ services, actor }) =>
              await services.knowledge.createBase(actor, {
                name: baseName,
                ...(flags.description === undefined ? {} : { description: flags.description }),
                ...(flags.everyone === true ? { readers: "everyone" as const } : {}),
              }),
          );
          cli.terminal.result(base, cli.terminal.text(`Created ${base.name}.`, `已新建 ${base.name}。`));
          if (flags.everyone !== true)
            cli.terminal.note(
              `Only administrators see it so far. To share it: starbox kb share ${base.name} everyone read`,
              `目前只有管理员可见。共享：starbox kb share ${base.name} everyone read`,
            );
        });
      }),
  );
  kb.addCommand(
    add("remove", ["remove a knowledge base with everything in it", "删除知识库及其全部内容"], ["starbox kb remove laws"])
      .argument("<NAME>", name)
      .action(async (baseName: string) => {
        await run(async (cli) => {
          const base = await withBox(cli, async ({ services, actor }) => {
            const found = await services.knowledge.readBase(actor, baseName);
            await services.knowledge.removeBase(actor, found.id);
            return found;
          });
          cli.terminal.result(
            { ...base, removed: true },
            cli.terminal.text(`Removed ${base.name} (${base.documents} documents).`, `已删除 ${base.name}（${base.documents} 份文档）。`),
          );
        });
      }),
  );
  kb.addCommand(
    add("status", ["how far reading has come", "查看处理进度"], ["starbox kb status laws", "starbox kb status laws --json"])
      .argument("<NAME>", name)
      .action(async (baseName: string) => {
        await run(async (cli) => {
          const base = await withBox(cli, async ({ services, actor }) => await services.knowledge.readBase(actor, baseName));
          cli.terminal.result(base, [base.name, ...counts(base, cli.terminal)].join("\n  "));
        });
      }),
  );
  addKbAdd(kb, builder);
  addKbSearch(kb, builder);
  addKbShare(kb, builder);
  addKbCare(kb, builder);
  program.addCommand(kb);
}

function counts(base: KnowledgeBaseInfo, terminal: Terminal): string[] {
  const { text } = terminal;
  const parts = [text(`${base.documents} documents`, `${base.documents} 份文档`), text(`${base.chunks} passages`, `${base.chunks} 个段落`)];
  if (base.pending > 0) parts.push(text(`${base.pending} waiting to be read`, `${base.pending} 份等待读取`));
  if (base.failed > 0) parts.push(text(`${base.failed} failed`, `${base.failed} 份失败`));
  if (base.embedded < base.chunks) {
    const left = base.etaSeconds === null ? "" : text(`, ${duration(base.etaSeconds)} left`, `，还需 ${duration(base.etaSeconds)}`);
    parts.push(
      text(
        `search by meaning ${Math.floor((100 * base.embedded) / base.chunks)} %${left}`,
        `语义检索 ${Math.floor((100 * base.embedded) / base.chunks)}%${left}`,
      ),
    );
  }
  return parts;
}
