/** @file `starbox kb share` and `kb access`: who may read and write a base, a folder or a file. */
import type { Command } from "commander";
import { StarboxError } from "#base";
import type { AccessEntry, Actor, Level, Principal, Services } from "#contracts";
import { withBox } from "../cli.ts";
import { table } from "../terminal.ts";
import type { Builder } from "./builder.ts";

const levels: readonly Level[] = ["read", "write", "manage"];

export function addKbShare(kb: Command, { add, t, run }: Builder): void {
  const name = t("the base's name", "知识库名称");
  const at = t("a folder or file inside the base", "知识库内的文件夹或文件");
  kb.addCommand(
    add(
      "access",
      ["who may read and write a base and its folders", "查看知识库及其文件夹的权限"],
      ["starbox kb access laws", "starbox kb access laws --json"],
    )
      .argument("<NAME>", name)
      .action(async (base: string) => {
        await run(async (cli) => {
          const lists = await withBox(cli, ({ services, actor }) => services.people.listAccess(actor, base));
          if (cli.terminal.json) for (const list of lists) cli.terminal.result(list, "");
          else {
            const who = (kind: string, shown: string): string => (kind === "everyone" ? cli.terminal.text("everyone", "所有人") : shown);
            const rows = lists.flatMap((list) =>
              (list.entries.length === 0
                ? [["", cli.terminal.text("only those who manage the base", "仅知识库管理者")]]
                : list.entries.map((entry) => [entry.level, who(entry.principal.kind, entry.name)])
              ).map((row) => [list.path === "" ? "/" : list.path, ...row]),
            );
            cli.terminal.result(null, table(rows));
          }
        });
      }),
  );
  kb.addCommand(
    add(
      "share",
      ["let somebody read, write or manage; --none takes it away", "授予查看、编辑或管理权限；--none 收回"],
      [
        "starbox kb share laws everyone read",
        "starbox kb share 人事 team:薪酬组 read --at 薪酬",
        "starbox kb share 人事 ada@example.org manage",
        "starbox kb share 人事 ada@example.org --none",
      ],
    )
      .argument("<NAME>", name)
      .argument("<WHO>", t("everyone, team:NAME or an e-mail address", "everyone、team:团队名 或邮箱"))
      .argument("[LEVEL]", levels.join(", "))
      .option("--at <PATH>", at, "")
      .option("--none", t("take it away", "收回权限"))
      .action(async (base: string, who: string, level: string | undefined, flags: { at: string; none?: boolean }) => {
        await run(async (cli) => {
          const wanted = flags.none === true ? null : levels.find((item) => item === level);
          if (wanted === undefined)
            throw new StarboxError("usage", `Expected ${levels.join(", ")} or --none.`, {
              zh: { message: `请给出 ${levels.join("、")} 之一，或 --none。` },
            });
          const list = await withBox(cli, async ({ services, actor }) => {
            const principal = await findPrincipal(services, actor, who);
            const before = (await services.people.listAccess(actor, base)).find((item) => item.path === flags.at)?.entries ?? [];
            const rest: readonly AccessEntry[] = before.filter((entry) => JSON.stringify(entry.principal) !== JSON.stringify(principal));
            const entries = wanted === null ? rest : [...rest, { principal, level: wanted }];
            return await services.people.writeAccess(
              actor,
              base,
              flags.at,
              entries.map((entry) => ({ principal: entry.principal, level: entry.level })),
            );
          });
          cli.terminal.result(
            list,
            cli.terminal.text(
              `${list.path === "" ? base : list.path}: ${list.entries.length} entries; in force now.`,
              `${list.path === "" ? base : list.path}：共 ${list.entries.length} 条权限，已立即生效。`,
            ),
          );
        });
      }),
  );
  kb.addCommand(
    add("inherit", ["let a folder or file follow the list above it again", "让文件夹或文件重新沿用上级权限"], ["starbox kb inherit 人事 薪酬"])
      .argument("<NAME>", name)
      .argument("<PATH>", at)
      .action(async (base: string, path: string) => {
        await run(async (cli) => {
          await withBox(cli, ({ services, actor }) => services.people.removeAccess(actor, base, path));
          cli.terminal.result({ path, inherits: true }, cli.terminal.text(`${path} inherits again.`, `${path} 已重新沿用上级权限。`));
        });
      }),
  );
}

async function findPrincipal(services: Services, actor: Actor, who: string): Promise<Principal> {
  if (who === "everyone") return { kind: "everyone" };
  const { people, teams } = await services.people.readDirectory(actor);
  const team = who.startsWith("team:") ? teams.filter((item) => item.name === who.slice(5) || item.id === who.slice(5)) : [];
  if (team.length === 1) return { kind: "team", id: (team[0] as { id: string }).id };
  const person = people.find((item) => item.email === who.toLowerCase() || item.id === who);
  if (person !== undefined) return { kind: "person", id: person.id };
  throw new StarboxError("not_found", `Nobody is called "${who}".`, {
    hint: "Give everyone, team:NAME (or team:ID) or an e-mail address; starbox people list shows them.",
    zh: { message: `没有“${who}”。`, hint: "请给出 everyone、team:团队名（或 team:编号）或邮箱；用 starbox people list 查看。" },
  });
}
