/** @file Middleware before every route: who calls, cross-site writes refused, headers that keep browsers careful. */
import type { MiddlewareHandler } from "hono";
import { StarboxError } from "#base";
import { type RequestContext, readCredentials, type ServerEnv, type ServerParts } from "./context.ts";
import { createLocate, type Origin } from "./proxy.ts";

const pagePolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** Every answer, an error's included. Under TLS cookies say so, and the browser is told to stay with it (not with a certificate it had to be talked into). */
export function securityHeaders(parts: ServerParts): MiddlewareHandler<ServerEnv> {
  const locate = createLocate(parts.settings.proxy ?? []);
  const strict = (parts.settings.tlsCert ?? "") !== "";
  return async (c, next) => {
    const socket = c.env?.incoming?.socket;
    const encrypted = (socket as { readonly encrypted?: boolean } | undefined)?.encrypted === true;
    const origin = locate({ address: socket?.remoteAddress ?? "", encrypted }, (name) => c.req.header(name));
    c.set("origin", origin);
    await next();
    const headers = c.res.headers;
    const framed = headers.has(frameHeader);
    headers.delete(frameHeader);
    if (!headers.has("content-security-policy")) headers.set("content-security-policy", pagePolicy);
    headers.set("x-content-type-options", "nosniff");
    if (!framed) headers.set("x-frame-options", "DENY");
    headers.set("referrer-policy", "no-referrer");
    if (!framed) headers.set("cross-origin-opener-policy", "same-origin");
    headers.set("cross-origin-resource-policy", "same-origin");
    headers.set("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()");
    headers.set("x-permitted-cross-domain-policies", "none");
    if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
    if (origin.secure && strict && !origin.proxied) headers.set("strict-transport-security", "max-age=31536000");
    const cookies = headers.getSetCookie();
    if (!origin.secure || cookies.length === 0) return;
    headers.delete("set-cookie");
    for (const line of cookies) headers.append("set-cookie", /;\s*secure/i.test(line) ? line : `${line}; Secure`);
  };
}

/** Set by a page that may stand in a frame; never sent. Its own policy names who may frame it. */
export const frameHeader = "x-starbox-framed";

/** An administrator sees the box as this person: documents and answers, never chats, keys or the account, and changes nothing. */
const viewAsHeader = "x-starbox-view-as";
const viewable = /^(GET|HEAD) \/api\/(session|bases|documents|curated|models|system\/ready|reviews)(\/|$)|^POST \/api\/(ask|bases\/[^/]+\/search)$/;

const mayNotView = (): StarboxError =>
  new StarboxError("forbidden", "Seen through somebody else's eyes, this is not shown and nothing can be changed.", {
    hint: "Leave x-starbox-view-as out to act as yourself.",
    zh: { message: "以他人视角查看时，此内容不显示，也不能修改任何东西。", hint: "退出“以他人视角查看”后再操作。" },
  });

export function identify(parts: ServerParts): MiddlewareHandler<ServerEnv> {
  return async (c, next) => {
    const credentials = readCredentials(c);
    const found = await parts.platform.identify(credentials);
    const other = c.req.header(viewAsHeader);
    const caller = found === null || other === undefined ? found : parts.platform.viewAs(found, other, credentials);
    if (caller?.actor.viewedBy !== undefined && !viewable.test(`${c.req.method} ${c.req.path}`)) throw mayNotView();
    c.set("caller", caller);
    if (caller?.via === "session") refuseCrossSite(c, parts, true);
    await next();
    for (const line of caller?.setCookies ?? []) c.res.headers.append("set-cookie", line);
  };
}

/**
 * A write that a browser sends with the session cookie must come from our own page. SameSite=Lax already keeps most others out;
 * this also holds for other ports of the same host, which browsers call the same site.
 */
export function refuseCrossSite(c: RequestContext, parts: ServerParts, needOrigin: boolean): void {
  if (["GET", "HEAD", "OPTIONS"].includes(c.req.method)) return;
  const origin = c.req.header("origin");
  const fetchSite = c.req.header("sec-fetch-site");
  // Behind a named proxy the page's address is the one the person typed.
  const own = (c.get("origin") as Origin | undefined)?.host ?? c.req.header("host") ?? new URL(c.req.url).host;
  if (origin !== undefined) {
    if (parts.settings.trustedOrigins.includes(origin) || origin === `http://${own}` || origin === `https://${own}`) return;
  } else if (fetchSite === "same-origin" || (fetchSite === undefined && !needOrigin)) return;
  throw new StarboxError(
    "csrf_failed",
    `A write with a session cookie must come from the box's own page; this one came from ${origin ?? "nowhere"}.`,
    {
      hint: "Programs: use a key (Authorization: Bearer sb-…). Another address of this box: add it to STARBOX_TRUSTED_ORIGINS.",
      zh: {
        message: `带会话 Cookie 的写操作必须来自星匣自己的页面，此请求来自 ${origin ?? "未知来源"}。`,
        hint: "程序请使用密钥（Authorization: Bearer sb-…）；若这是本机的另一个地址，请加入 STARBOX_TRUSTED_ORIGINS。",
      },
    },
  );
}
