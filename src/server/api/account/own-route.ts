/** @file One's own account: where one is signed in, the second factor, an invitation, the house's sign-in provider. */
import { z } from "@hono/zod-openapi";
import { StarboxError } from "#base";
import type { Caller } from "#contracts";
import { type RequestContext, readCredentials, type ServerParts } from "../../context.ts";
import { unauthorized } from "../../errors.ts";
import { refuseCrossSite } from "../../security.ts";
import { type Api, define, items } from "../define.ts";
import { sessionRow } from "../people/schema.ts";
import { password, personName, role, session } from "./schema.ts";

const tag = "account";
const ofPerson = z.object({ person: z.string().optional().openapi({ description: "An administrator names somebody else." }) });
const known = (caller: Caller | null): Caller => {
  if (caller === null) throw unauthorized();
  return caller;
};

export function ownRoutes(api: Api, parts: ServerParts): void {
  const { platform } = parts;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/sessions",
      id: "listSessions",
      tag,
      summary: "Where one is signed in",
      zh: "自己在哪些地方登录",
      query: ofPerson,
      output: items(sessionRow),
    },
    async ({ caller, query }) => ({ items: await platform.listSessions(known(caller), query.person) }),
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/sessions",
      id: "endSessions",
      tag,
      summary: "End all sessions but this one",
      zh: "退出其他所有登录",
      query: ofPerson,
    },
    async ({ caller, query }) => {
      await platform.endSession(known(caller), null, query.person);
    },
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/sessions/{id}",
      id: "endSession",
      tag,
      summary: "End one session",
      zh: "退出某一处登录",
      params: z.object({ id: z.string() }),
      query: ofPerson,
    },
    async ({ caller, params, query }) => {
      await platform.endSession(known(caller), params.id, query.person);
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/account/password",
      id: "changeOwnPassword",
      tag,
      summary: "A new password of one's own; the present one is asked, and all other sessions end",
      zh: "修改自己的密码：需提供当前密码，其他登录随即退出",
      maxBodyBytes: 16 << 10,
      body: z.object({ current: z.string().min(1).max(256), password }),
    },
    async ({ caller, body }) => {
      await platform.changeOwnPassword(known(caller), body);
    },
  );
  factorRoutes(api, parts);
  invitationRoutes(api, parts);
  oidcRoutes(api, parts);
}

function factorRoutes(api: Api, parts: ServerParts): void {
  const { platform } = parts;
  const code = z.string().min(6).max(32);
  define(
    api,
    parts,
    {
      method: "post",
      path: "/second-factor",
      id: "startSecondFactor",
      tag,
      summary: "A secret for an authenticator app; in force once confirmed",
      zh: "为验证器应用生成密钥，确认后生效",
      output: z.object({ secret: z.string(), uri: z.string() }),
      status: 201,
    },
    async ({ caller }) => await platform.startSecondFactor(known(caller)),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/second-factor/confirm",
      id: "confirmSecondFactor",
      tag,
      summary: "Switch the second factor on with a code; answers with the recovery codes, this once",
      zh: "用验证码启用两步验证，返回仅显示一次的恢复码",
      body: z.object({ code }),
      output: z.object({ recovery: z.array(z.string()).readonly() }),
    },
    async ({ caller, body }) => ({ recovery: await platform.confirmSecondFactor(known(caller), body.code) }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/second-factor/remove",
      id: "removeSecondFactor",
      tag,
      summary: "Switch the second factor off, with a code",
      zh: "用验证码关闭两步验证",
      body: z.object({ code: code.optional(), person: z.string().optional() }),
    },
    async ({ caller, body }) => {
      await platform.removeSecondFactor(known(caller), body.code ?? null, body.person);
    },
  );
}

function invitationRoutes(api: Api, parts: ServerParts): void {
  const { platform } = parts;
  define(
    api,
    parts,
    {
      method: "post",
      path: "/invitation",
      id: "readInvitation",
      tag,
      summary: "Whom an invitation is for",
      zh: "邀请的对象",
      access: "anyone",
      maxBodyBytes: 4 << 10,
      body: z.object({ token: z.string().min(1).max(100) }),
      output: z.object({ email: z.string(), role }),
    },
    async ({ c, body }) => {
      const found = platform.readInvitation(body.token, readCredentials(c));
      if (found !== null) return found;
      throw new StarboxError("not_found", "This invitation is not valid (any more).", {
        hint: "It works once and for some days: ask the administrator for a new link.",
        zh: { message: "邀请无效或已失效。", hint: "邀请链接只能使用一次且有期限，请向管理员索取新的链接。" },
      });
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/invitation/accept",
      id: "acceptInvitation",
      tag,
      summary: "Choose name and password, and sign in",
      zh: "设置姓名和密码并登录",
      access: "anyone",
      maxBodyBytes: 16 << 10,
      body: z.object({ token: z.string().min(1).max(100), name: personName, password }),
      output: session,
      status: 201,
    },
    async ({ c, body }) => {
      refuseCrossSite(c, parts, false);
      return welcome(c, await platform.acceptInvitation(body, readCredentials(c)));
    },
  );
}

/** Sends the session's cookies along. */
export function welcome(c: RequestContext, caller: Caller) {
  for (const line of caller.setCookies) c.header("set-cookie", line, { append: true });
  return { actor: caller.actor, setupRequired: false, email: caller.email };
}

const ticketName = "starbox.oidc";

function oidcRoutes(api: Api, parts: ServerParts): void {
  const { platform } = parts;
  const cookie = (value: string, seconds: number): string =>
    `${ticketName}=${value}; Path=/api/auth/oidc; HttpOnly; SameSite=Lax; Max-Age=${seconds}`;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/auth/ways",
      id: "signInWays",
      tag,
      summary: "Ways to sign in besides e-mail and password",
      zh: "除邮箱密码外的登录方式",
      access: "anyone",
      output: z.object({ oidc: z.string().nullable(), ldap: z.boolean() }),
    },
    async () => platform.signInWays(),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/auth/oidc/start",
      id: "startOidc",
      tag,
      summary: "To the sign-in provider's page (a redirect for browsers)",
      zh: "前往统一登录页面（浏览器跳转）",
      access: "anyone",
      media: { type: "text/html", description: "302 to the provider" },
    },
    async ({ c }) => {
      const { url, ticket } = await platform.startOidc(`${ownOrigin(c, parts)}/api/auth/oidc/callback`);
      c.header("set-cookie", cookie(ticket, 600), { append: true });
      return c.redirect(url, 302);
    },
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/auth/oidc/callback",
      id: "finishOidc",
      tag,
      summary: "Back from the sign-in provider",
      zh: "从统一登录返回",
      access: "anyone",
      media: { type: "text/html", description: "302 to the console" },
    },
    async ({ c }) => {
      const ticket = new RegExp(`(?:^|; *)${ticketName.replace(".", "\\.")}=([^;]*)`).exec(c.req.header("cookie") ?? "")?.[1] ?? "";
      c.header("set-cookie", cookie("", 0), { append: true });
      try {
        welcome(c, await platform.finishOidc(c.req.url, ticket, readCredentials(c)));
      } catch (error) {
        if (!StarboxError.is(error)) throw error;
        // A person in a browser is on the way: the sign-in page says what went wrong.
        return c.redirect(`/signin?failed=${error.code}`, 302);
      }
      return c.redirect("/", 302);
    },
  );
}

/** As the browser knows this box. The provider only sends people back to addresses it has on its own list. */
function ownOrigin(c: RequestContext, parts: ServerParts): string {
  const { host, secure } = c.get("origin");
  const own = host ?? c.req.header("host") ?? new URL(c.req.url).host;
  const known = parts.settings.trustedOrigins.find((origin) => URL.parse(origin)?.host === own);
  return known ?? new URL(`${secure ? "https" : "http"}://${own}`).origin;
}
