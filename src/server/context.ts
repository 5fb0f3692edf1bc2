/** @file What every handler knows about its request: who calls, from where. The only place that reads the socket. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "hono";
import { type Logger, type Settings, StarboxError } from "#base";
import type { Actor, Caller, Credentials, Platform, Services } from "#contracts";
import { forbidden, unauthorized } from "./errors.ts";
import type { Origin } from "./proxy.ts";

export type ServerSettings = Pick<Settings, "host" | "port" | "maxFileMb" | "trustedOrigins"> &
  Partial<Pick<Settings, "data" | "tls" | "tlsCert" | "tlsKey" | "proxy">>;

export type ServerParts = {
  readonly services: Services;
  readonly platform: Platform;
  readonly settings: ServerSettings;
  readonly logger: Logger;
  /** Built console; null: none (tests, command line alone). */
  readonly consoleFolder: string | null;
  readonly version: string;
  /** Aborted when the server closes: streams that would never end by themselves stop. */
  readonly closing: AbortSignal;
};

export type ServerEnv = {
  Bindings: { incoming?: IncomingMessage; outgoing?: ServerResponse };
  Variables: { caller: Caller | null; route: string; origin: Origin };
};
export type RequestContext = Context<ServerEnv>;

const loopbackAddress = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const loopbackHost = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;
const proxyHeaders = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/**
 * A request is from this machine when its socket is, no proxy passed it on, and its Host is this machine's
 * (a web page that points its own name at 127.0.0.1 fails the last).
 */
export function readCredentials(c: RequestContext): Credentials {
  const origin = c.get("origin") as Origin | undefined;
  const address = origin?.address ?? c.env?.incoming?.socket.remoteAddress ?? "";
  const host = c.req.header("host") ?? "";
  const loopback =
    origin?.proxied !== true &&
    loopbackAddress.test(address) &&
    loopbackHost.test(host) &&
    proxyHeaders.every((name) => c.req.header(name) === undefined);
  return {
    authorization: c.req.header("authorization") ?? null,
    cookie: c.req.header("cookie") ?? null,
    address,
    loopback,
    userAgent: c.req.header("user-agent") ?? null,
  };
}

/** What ends a request: the client leaves, the box closes, the caller's right is taken away. */
export function endingSignals(c: RequestContext, parts: ServerParts): AbortSignal[] {
  const caller = c.get("caller");
  return [c.req.raw.signal, parts.closing, ...(caller === null ? [] : parts.platform.signalsOf(caller))];
}

/** The actor, or 401. */
export function signedIn(c: RequestContext): Actor {
  const caller = c.get("caller");
  if (caller === null) throw unauthorized();
  return caller.actor;
}

/** Somebody who looks through another's eyes has that other's role. */
export const isAdministrator = (actor: Actor): boolean => (actor.role === "operator" || actor.role === "administrator") && !isLimited(actor);

/** A key for some models or bases is for those, whoever's it is. */
const isLimited = ({ key }: Actor): boolean => key !== undefined && (key.models !== null || key.bases !== null);

export function needWriteKey(actor: Actor): void {
  if (actor.key?.write !== false) return;
  throw new StarboxError("forbidden", "This key may only ask and read.", {
    hint: "Use a key with access write, or sign in.",
    zh: { message: "此密钥只能提问和读取。", hint: "请使用可写的密钥，或登录后操作。" },
  });
}

export function needAdministrator(actor: Actor): void {
  if (!isAdministrator(actor)) throw forbidden();
}

/** Whom the engine's queue counts a request for. */
export const personOf = (actor: Actor): string => actor.personId ?? actor.name;
