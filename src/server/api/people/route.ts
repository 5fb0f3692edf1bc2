/** @file People, invitations and teams. */
import { z } from "@hono/zod-openapi";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { password, personName, role } from "../account/schema.ts";
import { type Api, define, items } from "../define.ts";
import { invitation, newInvitation, newPerson, person, team, teamName } from "./schema.ts";

const tag = "people";
const byId = z.object({ id: z.string() });

export function peopleRoutes(api: Api, parts: ServerParts): void {
  const { people } = parts.services;
  define(
    api,
    parts,
    { method: "get", path: "/people", id: "listPeople", tag, summary: "List people", zh: "列出成员", access: "administrator", output: items(person) },
    async ({ actor }) => ({ items: await people.listPeople(actor) }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/people",
      id: "createPerson",
      tag,
      summary: "Add a person",
      zh: "添加成员",
      access: "administrator",
      body: newPerson,
      output: person,
      status: 201,
    },
    async ({ actor, body }) => await people.createPerson(actor, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/people/{id}",
      id: "updatePerson",
      tag,
      summary: "Change a person's name, role or password",
      zh: "修改成员的姓名、角色或密码",
      description: "Anyone may change their own name; one's own password: POST /api/account/password. A new password ends the person's sessions.",
      params: byId,
      body: z.object({ name: personName.optional(), role: role.optional(), password: password.optional() }),
      output: person,
    },
    async ({ actor, params, body }) => await people.updatePerson(actor, params.id, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/people/{id}",
      id: "removePerson",
      tag,
      summary: "Remove a person with their sessions and keys",
      zh: "移除成员及其会话和密钥",
      access: "administrator",
      params: byId,
    },
    async ({ actor, params }) => {
      await people.removePerson(actor, params.id);
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/people/{id}/reset",
      id: "resetPerson",
      tag,
      summary: "On the machine itself: a new password, no second factor, signed out everywhere",
      zh: "仅限本机：重置密码、关闭两步验证并退出所有登录",
      description: "For ./starbox people reset: only the account that owns the data folder may do it. The id may be an e-mail address.",
      access: "administrator",
      params: byId,
      output: z.object({ person, password: z.string() }),
    },
    async ({ actor, params }) => await people.resetPerson(actor, params.id),
  );
  invitationRoutes(api, parts);
  teamRoutes(api, parts);
}

function invitationRoutes(api: Api, parts: ServerParts): void {
  const { people } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/invitations",
      id: "listInvitations",
      tag,
      summary: "Open invitations",
      zh: "未使用的邀请",
      access: "administrator",
      output: items(invitation),
    },
    async ({ actor }) => ({ items: await people.listInvitations(actor) }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/invitations",
      id: "createInvitation",
      tag,
      summary: "Invite somebody by link; the token is shown this once",
      zh: "用链接邀请成员；令牌只显示这一次",
      description: "The link is BOX/invitation#TOKEN. It works once; the invited person chooses name and password.",
      access: "administrator",
      body: newInvitation,
      output: invitation.extend({ token: z.string() }).openapi("NewInvitation"),
      status: 201,
    },
    async ({ actor, body }) => await people.createInvitation(actor, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/invitations/{id}",
      id: "removeInvitation",
      tag,
      summary: "Withdraw an invitation",
      zh: "撤回邀请",
      access: "administrator",
      params: byId,
    },
    async ({ actor, params }) => {
      await people.removeInvitation(actor, params.id);
    },
  );
}

function teamRoutes(api: Api, parts: ServerParts): void {
  const { people } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/teams",
      id: "listTeams",
      tag,
      summary: "Teams with their members",
      zh: "团队及其成员",
      access: "administrator",
      output: items(team),
    },
    async ({ actor }) => ({ items: await people.listTeams(actor) }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/teams",
      id: "createTeam",
      tag,
      summary: "Make a team, under another one if wanted",
      zh: "新建团队，可放在上级团队之下",
      access: "administrator",
      body: z.object({ name: teamName, parentId: z.string().nullable().optional() }),
      output: team,
      status: 201,
    },
    async ({ actor, body }) => await people.createTeam(actor, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/teams/{id}",
      id: "updateTeam",
      tag,
      summary: "Rename a team, move it, set its members",
      zh: "修改团队名称、上级或成员",
      access: "administrator",
      params: byId,
      body: z.object({
        name: teamName.optional(),
        parentId: z.string().nullable().optional(),
        memberIds: z.array(z.string()).max(10_000).optional(),
      }),
      output: team,
    },
    async ({ actor, params, body }) => await people.updateTeam(actor, params.id, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/teams/{id}",
      id: "removeTeam",
      tag,
      summary: "Remove a team with those below it; people stay",
      zh: "删除团队及其下级团队，成员保留",
      access: "administrator",
      params: byId,
    },
    async ({ actor, params }) => {
      await people.removeTeam(actor, params.id);
    },
  );
}
