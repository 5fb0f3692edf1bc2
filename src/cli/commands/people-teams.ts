/** @file `starbox people teams` and `team`: the tree of teams and who is in them. */
import type { Command } from "commander";
import { StarboxError } from "#base";
import type { Actor, Services, Team } from "#contracts";
import { withBox } from "../cli.ts";
import type { Builder } from "./builder.ts";
import { findPerson } from "./find-person.ts";

export function addTeams(people: Command, { add, t, run }: Builder): void {
  const name = t("the team's name or id", "团队名称或编号");
  people.addCommand(
    add("teams", ["the tree of teams", "团队结构"], ["starbox people teams", "starbox people teams --json"]).action(async () => {
      await run(async (cli) => {
        const teams = await withBox(cli, ({ services, actor }) => services.people.listTeams(actor));
        if (cli.terminal.json) for (const team of teams) cli.terminal.result(team, "");
        else if (teams.length === 0) cli.terminal.note("No team yet: starbox people team-add NAME.", "还没有团队：starbox people team-add 名称。");
        else cli.terminal.result(null, tree(teams, null, 0).join("\n"));
      });
    }),
  );
  people.addCommand(
    add("team-add", ["make a team", "新建团队"], ["starbox people team-add 人力资源部", "starbox people team-add 薪酬组 --under 人力资源部"])
      .argument("<NAME>", t("its name", "名称"))
      .option("--under <TEAM>", t("the team above it", "上级团队"))
      .action(async (teamName: string, flags: { under?: string }) => {
        await run(async (cli) => {
          const team = await withBox(cli, async ({ services, actor }) =>
            services.people.createTeam(actor, {
              name: teamName,
              ...(flags.under === undefined ? {} : { parentId: (await findTeam(services, actor, flags.under)).id }),
            }),
          );
          cli.terminal.result(team, cli.terminal.text(`Made ${team.name}.`, `已新建 ${team.name}。`));
        });
      }),
  );
  people.addCommand(
    add(
      "team-members",
      ["put people into a team, or take them out", "设置团队成员"],
      [
        "starbox people team-members 薪酬组 --add ada@example.org --add bob@example.org",
        "starbox people team-members 薪酬组 --remove bob@example.org",
      ],
    )
      .argument("<TEAM>", name)
      .option("--add <EMAIL>", t("put in (again for more)", "加入（可多次使用）"), collect, [])
      .option("--remove <EMAIL>", t("take out (again for more)", "移出（可多次使用）"), collect, [])
      .action(async (teamName: string, flags: { add: string[]; remove: string[] }) => {
        await run(async (cli) => {
          const team = await withBox(cli, async ({ services, actor }) => {
            const found = await findTeam(services, actor, teamName);
            const ids = new Set(found.memberIds);
            for (const email of flags.add) ids.add((await findPerson(services, actor, email)).id);
            for (const email of flags.remove) ids.delete((await findPerson(services, actor, email)).id);
            return await services.people.updateTeam(actor, found.id, { memberIds: [...ids] });
          });
          cli.terminal.result(
            team,
            cli.terminal.text(`${team.name}: ${team.memberIds.length} people.`, `${team.name}：${team.memberIds.length} 人。`),
          );
        });
      }),
  );
  people.addCommand(
    add("team-remove", ["remove a team with those below it", "删除团队及其下级团队"], ["starbox people team-remove 薪酬组"])
      .argument("<TEAM>", name)
      .action(async (teamName: string) => {
        await run(async (cli) => {
          const team = await withBox(cli, async ({ services, actor }) => {
            const found = await findTeam(services, actor, teamName);
            await services.people.removeTeam(actor, found.id);
            return found;
          });
          cli.terminal.result({ ...team, removed: true }, cli.terminal.text(`Removed ${team.name}.`, `已删除 ${team.name}。`));
        });
      }),
  );
}

const collect = (value: string, all: readonly string[]): string[] => [...all, value];

function tree(teams: readonly Team[], parentId: string | null, depth: number): string[] {
  return teams
    .filter((team) => team.parentId === parentId)
    .flatMap((team) => [`${"  ".repeat(depth)}${team.name} (${team.memberIds.length})`, ...tree(teams, team.id, depth + 1)]);
}

async function findTeam(services: Services, actor: Actor, nameOrId: string): Promise<Team> {
  const teams = await services.people.listTeams(actor);
  const found = teams.filter((team) => team.id === nameOrId || team.name === nameOrId);
  if (found.length === 1) return found[0] as Team;
  throw new StarboxError("not_found", found.length === 0 ? `No team "${nameOrId}".` : `Several teams are called "${nameOrId}".`, {
    hint: "starbox people teams --json shows their ids.",
    zh: {
      message: found.length === 0 ? `没有团队“${nameOrId}”。` : `有多个名为“${nameOrId}”的团队。`,
      hint: "用 starbox people teams --json 查看编号。",
    },
  });
}
