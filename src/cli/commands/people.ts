/** @file `starbox people …`: who may sign in, what role they have, a reset on the machine itself. Teams have a file of their own. */
import { type Command, Option } from "commander";
import { StarboxError } from "#base";
import type { PersonInfo, Role } from "#contracts";
import { withBox } from "../cli.ts";
import { table } from "../terminal.ts";
import type { Builder } from "./builder.ts";
import { findPerson } from "./find-person.ts";
import { addTeams } from "./people-teams.ts";

const roles: readonly Role[] = ["administrator", "knowledge-owner", "editor", "member", "api-only"];

export function addPeople(program: Command, builder: Builder): void {
  const { add, t } = builder;
  const people = add(
    "people",
    ["people: list, add, invite, roles, teams, reset a lost password", "成员：列出、添加、邀请、角色、团队、重置密码"],
    ["starbox people list", "starbox people invite ada@example.org --role editor", "starbox people reset ada@example.org", "starbox people teams"],
  );
  const role = new Option("--role <ROLE>", t("what they may do at most", "角色")).choices(roles).default("member");
  addLooking(people, builder);
  addInviting(people, builder, role);
  addChanging(people, builder);
  addTeams(people, builder);
  program.addCommand(people);
}

function addLooking(people: Command, { add, run }: Builder): void {
  people.addCommand(
    add("list", ["everybody who may use this box", "列出全部成员"], ["starbox people list", "starbox people list --json"]).action(async () => {
      await run(async (cli) => {
        const { persons, teams } = await withBox(cli, async ({ services, actor }) => ({
          persons: await services.people.listPeople(actor),
          teams: new Map((await services.people.listTeams(actor)).map((team) => [team.id, team.name])),
        }));
        if (cli.terminal.json) for (const person of persons) cli.terminal.result(person, "");
        else if (persons.length === 0)
          cli.terminal.note("Nobody yet: open the box in a browser to set it up.", "还没有成员：请在浏览器中完成初始化。");
        else {
          const line = (person: PersonInfo): string[] => [
            person.email,
            person.name,
            person.role,
            person.secondFactor ? "2FA" : "",
            person.teamIds.map((id) => teams.get(id) ?? id).join(", "),
          ];
          cli.terminal.result(null, table(persons.map(line)));
        }
      });
    }),
  );
}

function addInviting(people: Command, { add, t, run }: Builder, role: Option): void {
  const email = t("their e-mail address", "对方的邮箱");
  people.addCommand(
    add(
      "invite",
      ["make a link with which somebody sets up their own account", "生成邀请链接，对方自行设置账号"],
      ["starbox people invite ada@example.org", "starbox people invite ada@example.org --role editor --days 3"],
    )
      .argument("<EMAIL>", email)
      .addOption(role)
      .option("--days <N>", t("how long the link works", "有效天数"), "7")
      .action(async (address: string, flags: { role: Role; days: string }) => {
        await run(async (cli) => {
          const made = await withBox(cli, ({ services, actor }) =>
            services.people.createInvitation(actor, { email: address, role: flags.role, days: Number(flags.days) }),
          );
          const box = cli.settings.url === "" ? `http://${cli.settings.host}:${cli.settings.port}` : cli.settings.url;
          const link = `${box}/invitation#${made.token}`;
          cli.terminal.result({ ...made, link }, link);
          cli.terminal.note(
            `Give this link to ${address}: it works once, until ${made.expiresAt.slice(0, 10)}. Put the box's own address in front if it has another.`,
            `请把此链接交给 ${address}：只能使用一次，${made.expiresAt.slice(0, 10)} 前有效。若星匣有其他网址，请替换前面的地址。`,
          );
        });
      }),
  );
  people.addCommand(
    add(
      "add",
      ["add somebody who signs in through OIDC or LDAP, or uses keys only", "添加通过统一登录进入或仅用密钥的成员"],
      ["starbox people add ada@example.org --name Ada", "starbox people add robot@example.org --name 机器人 --role api-only"],
    )
      .argument("<EMAIL>", email)
      .requiredOption("--name <NAME>", t("their name", "姓名"))
      .addOption(role)
      .action(async (address: string, flags: { name: string; role: Role }) => {
        await run(async (cli) => {
          const person = await withBox(cli, ({ services, actor }) =>
            services.people.createPerson(actor, { email: address, name: flags.name, role: flags.role }),
          );
          cli.terminal.result(person, cli.terminal.text(`Added ${person.name} (${person.role}).`, `已添加 ${person.name}（${person.role}）。`));
        });
      }),
  );
}

function addChanging(people: Command, { add, t, run }: Builder): void {
  const email = t("their e-mail address", "对方的邮箱");
  people.addCommand(
    add("role", ["change what somebody may do at most", "修改成员角色"], ["starbox people role ada@example.org knowledge-owner"])
      .argument("<EMAIL>", email)
      .argument("<ROLE>", roles.join(", "))
      .action(async (address: string, role: string) => {
        await run(async (cli) => {
          const known = roles.find((item) => item === role);
          if (known === undefined)
            throw new StarboxError("usage", `Expected one of ${roles.join(", ")}, got "${role}".`, {
              zh: { message: `角色应为 ${roles.join("、")} 之一。` },
            });
          const person = await withBox(cli, async ({ services, actor }) =>
            services.people.updatePerson(actor, (await findPerson(services, actor, address)).id, { role: known }),
          );
          cli.terminal.result(person, cli.terminal.text(`${person.name} is now ${person.role}.`, `${person.name} 的角色已改为 ${person.role}。`));
        });
      }),
  );
  people.addCommand(
    add(
      "reset",
      ["on this machine: a new password, second factor off, signed out everywhere", "在本机重置：新密码、关闭两步验证、退出所有登录"],
      ["starbox people reset ada@example.org"],
    )
      .argument("<EMAIL>", email)
      .action(async (address: string) => {
        await run(async (cli) => {
          const { person, password } = await withBox(cli, ({ services, actor }) => services.people.resetPerson(actor, address));
          cli.terminal.result({ email: person.email, password }, password);
          cli.terminal.note(
            `New password of ${person.email}, shown this once. The second factor is off.`,
            `这是 ${person.email} 的新密码，只显示这一次。两步验证已关闭。`,
          );
        });
      }),
  );
  people.addCommand(
    add("remove", ["remove somebody with their sessions and keys", "移除成员及其会话和密钥"], ["starbox people remove ada@example.org"])
      .argument("<EMAIL>", email)
      .action(async (address: string) => {
        await run(async (cli) => {
          const person = await withBox(cli, async ({ services, actor }) => {
            const found = await findPerson(services, actor, address);
            await services.people.removePerson(actor, found.id);
            return found;
          });
          cli.terminal.result({ ...person, removed: true }, cli.terminal.text(`Removed ${person.name}.`, `已移除 ${person.name}。`));
        });
      }),
  );
}
