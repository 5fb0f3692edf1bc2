/** @file Set-up and sign-in. */
import { z } from "@hono/zod-openapi";
import { defined } from "../../body.ts";
import { readCredentials, type ServerParts } from "../../context.ts";
import { refuseCrossSite } from "../../security.ts";
import { type Api, define } from "../define.ts";
import { ownRoutes, welcome } from "./own-route.ts";
import { email, password, personName, session } from "./schema.ts";

const tag = "account";

export function accountRoutes(api: Api, parts: ServerParts): void {
  const { platform } = parts;

  define(
    api,
    parts,
    {
      method: "get",
      path: "/session",
      id: "readSession",
      tag,
      summary: "Who is signed in; whether the box still needs its first administrator",
      zh: "当前登录者；是否还需要第一位管理员",
      access: "anyone",
      output: session,
    },
    async ({ caller }) => ({
      actor: caller?.actor ?? null,
      setupRequired: platform.setupRequired(),
      email: caller?.email ?? null,
    }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/setup",
      id: "setUp",
      tag,
      summary: "Make the first administrator with the code the box printed, and sign in",
      zh: "用星匣显示的代码创建第一位管理员并登录",
      access: "anyone",
      maxBodyBytes: 16 << 10,
      body: z.object({ code: z.string().min(1).max(64), name: personName, email, password }),
      output: session,
      status: 201,
    },
    async ({ c, body }) => {
      refuseCrossSite(c, parts, false);
      return welcome(c, await platform.setUp(body, readCredentials(c)));
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/auth/sign-in/email",
      id: "signIn",
      tag,
      summary: "Sign in; answers with a session cookie",
      zh: "登录，返回会话 Cookie",
      access: "anyone",
      maxBodyBytes: 16 << 10,
      body: z.object({
        email: z.string().min(1).max(254).openapi({ description: "E-mail; with LDAP also a login name." }),
        password: z.string().min(1).max(256),
        code: z.string().max(32).optional().openapi({ description: "From the authenticator app, or a recovery code." }),
      }),
      output: session,
    },
    async ({ c, body }) => {
      refuseCrossSite(c, parts, false);
      return welcome(c, await platform.signIn(defined(body), readCredentials(c)));
    },
  );
  define(
    api,
    parts,
    { method: "post", path: "/auth/sign-out", id: "signOut", tag, summary: "End the session", zh: "结束会话", access: "anyone" },
    async ({ c }) => {
      for (const line of await platform.signOut(readCredentials(c))) c.header("set-cookie", line, { append: true });
      return c.body(null, 204);
    },
  );
  ownRoutes(api, parts);
}
