/** @file `starbox kb approval`, `approve` and `reviews`: what readers see only after somebody looked, and what is due for another look. */
import type { Command } from "commander";
import { StarboxError } from "#base";
import type { Actor, DocumentInfo, Services } from "#contracts";
import { withBox } from "../cli.ts";
import { table } from "../terminal.ts";
import type { Builder } from "./builder.ts";

export function addKbCare(kb: Command, { add, t, run }: Builder): void {
  const name = t("the base's name", "知识库名称");
  kb.addCommand(
    add(
      "approval",
      ["whether new documents wait for approval: on or off", "新文档是否先审批再可见：on 或 off"],
      ["starbox kb approval 人事 on", "starbox kb approval 人事 off"],
    )
      .argument("<NAME>", name)
      .argument("<on|off>")
      .action(async (base: string, wanted: string) => {
        await run(async (cli) => {
          if (wanted !== "on" && wanted !== "off")
            throw new StarboxError("usage", `Expected on or off, got "${wanted}".`, { zh: { message: `应为 on 或 off，而不是“${wanted}”。` } });
          const changed = await withBox(cli, async ({ services, actor }) => {
            const { id } = await services.knowledge.readBase(actor, base);
            return await services.knowledge.updateBase(actor, id, { approval: wanted === "on" });
          });
          cli.terminal.result(
            changed,
            changed.approval
              ? cli.terminal.text("New documents wait for approval.", "新文档需批准后可见。")
              : cli.terminal.text("No approval needed.", "无需审批。"),
          );
        });
      }),
  );
  kb.addCommand(
    add(
      "approve",
      ["let readers see documents; without a path: list those that wait", "批准文档；不给路径则列出待批准的"],
      ["starbox kb approve 人事", "starbox kb approve 人事 薪酬/2026.xlsx", "starbox kb approve 人事 薪酬/2026.xlsx --withdraw"],
    )
      .argument("<NAME>", name)
      .argument("[PATH...]", t("documents inside the base", "知识库内的文档"))
      .option(
        "--withdraw",
        t("turn down the version that waits, or take the document out of readers' sight again", "不批准等待中的新版本；没有新版本时撤回批准"),
      )
      .action(async (base: string, paths: string[], flags: { withdraw?: boolean }) => {
        await run(async (cli) => {
          const documents = await withBox(cli, async ({ services, actor }) => {
            const { id } = await services.knowledge.readBase(actor, base);
            if (paths.length === 0) return (await services.knowledge.listDocuments(actor, id, { state: "unapproved", limit: 1000 })).items;
            const found: DocumentInfo[] = [];
            for (const at of paths) found.push(await findDocument(services, actor, id, at));
            const changed: DocumentInfo[] = [];
            for (const document of found) changed.push(await services.knowledge.approveDocument(actor, document.id, flags.withdraw !== true));
            return changed;
          });
          for (const document of documents)
            cli.terminal.result(document, `${document.approved && document.waiting === null ? "✓" : "…"} ${document.path}`);
          if (documents.length === 0) cli.terminal.note("Nothing waits for approval.", "没有待批准的文档。");
        });
      }),
  );
  kb.addCommand(
    add("reviews", ["documents that are due for another look", "到了复核日期的文档"], ["starbox kb reviews", "starbox kb reviews --json"]).action(
      async () => {
        await run(async (cli) => {
          const due = await withBox(cli, ({ services, actor }) => services.knowledge.listReviews(actor));
          if (cli.terminal.json) for (const item of due) cli.terminal.result(item, "");
          else if (due.length === 0) cli.terminal.note("Nothing is due.", "没有到期的复核。");
          else cli.terminal.result(null, table(due.map((item) => [item.reviewAt, item.base, item.path, item.owner?.name ?? ""])));
        });
      },
    ),
  );
}

async function findDocument(services: Services, actor: Actor, kbId: string, path: string): Promise<DocumentInfo> {
  const { items } = await services.knowledge.listDocuments(actor, kbId, { search: path, limit: 1000 });
  const found = items.find((document) => document.path === path);
  if (found !== undefined) return found;
  throw new StarboxError("document_not_found", `There is no document ${path}.`, {
    hint: "Give the whole path inside the base.",
    zh: { message: `没有文档 ${path}。`, hint: "请给出知识库内的完整路径。" },
  });
}
