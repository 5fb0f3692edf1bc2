/** @file One resource route: its description in OpenAPI and its handler, from the same schemas. Order: 401, 400, 403, then the handler. */
import { type OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { Actor, Caller } from "#contracts";
import { parseWith, readJson } from "../body.ts";
import {
  endingSignals,
  needAdministrator,
  needWriteKey,
  type RequestContext,
  readCredentials,
  type ServerEnv,
  type ServerParts,
  signedIn,
} from "../context.ts";

export type Api = OpenAPIHono<ServerEnv>;

type Schema = z.ZodType;
type In<S> = S extends Schema ? z.output<S> : undefined;
/** `anyone`: no sign-in needed; `member`: any person or key; `administrator`: not members. */
type Access = "anyone" | "member" | "administrator";

export type RouteInput<P, Q, B> = {
  readonly actor: Actor;
  readonly caller: Caller | null;
  readonly params: In<P>;
  readonly query: In<Q>;
  readonly body: In<B>;
  readonly c: RequestContext;
  readonly signal: AbortSignal;
};

type Definition<P, Q, B, O> = {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  /** The summary in Chinese. */
  readonly zh: string;
  readonly description?: string;
  /** Name of the function in generated clients. */
  readonly id: string;
  readonly access?: Access;
  /** A key that may only read may call it although it is no GET: it asks, and changes nothing but the asker's own chats. */
  readonly asks?: boolean;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** For bodies that are not JSON: described here, read by the handler. */
  readonly rawBody?: NonNullable<NonNullable<RouteConfig["request"]>["body"]>;
  readonly maxBodyBytes?: number;
  readonly status?: 200 | 201 | 202;
  /** JSON answer; none: 204, or the handler answers itself. */
  readonly output?: O;
  /** Answer that is not JSON. */
  readonly media?: { readonly type: string; readonly description: string };
};

const errorSchema = z
  .object({
    error: z.object({
      code: z.string().openapi({ description: "Stable; programs may rely on it.", example: "kb_not_found" }),
      message: z.string(),
      hint: z.string().optional().openapi({ description: "The next step." }),
      zh: z.object({ message: z.string(), hint: z.string().optional() }).optional().openapi({ description: "The same in Chinese." }),
      details: z.record(z.string(), z.unknown()).optional(),
      retryAfterSeconds: z.number().optional(),
    }),
  })
  .openapi("Error");

const errorWords: Readonly<Record<number, string>> = {
  400: "The request is not as described",
  401: "Not signed in",
  403: "Not allowed",
  404: "Not there",
  429: "Too busy; see Retry-After",
};

/** `list(schema)`: an array as the services hand it out, read-only. */
export const list = <S extends Schema>(schema: S) => z.array(schema).readonly();
export const items = <S extends Schema>(schema: S) => z.object({ items: list(schema) });

export function define<
  P extends Schema | undefined = undefined,
  Q extends Schema | undefined = undefined,
  B extends Schema | undefined = undefined,
  O extends Schema | undefined = undefined,
>(
  api: Api,
  parts: ServerParts,
  route: Definition<P, Q, B, O>,
  handler: (input: RouteInput<P, Q, B>) => Promise<O extends Schema ? z.input<O> | Response : Response | undefined | void>,
): void {
  const access = route.access ?? "member";
  describe(api, route, access);
  const path = `/api${route.path.replace(/\{(\w+)\}/g, ":$1")}`;
  api.on(route.method.toUpperCase(), path, async (c) => {
    c.set("route", path);
    const caller = c.get("caller");
    const actor: Actor = access === "anyone" ? (caller?.actor ?? { personId: null, name: "anyone", role: "member" }) : signedIn(c);
    const params = route.params === undefined ? undefined : parseWith(route.params, c.req.param(), "Path");
    const query = route.query === undefined ? undefined : parseWith(route.query, c.req.query(), "Query");
    const body = route.body === undefined ? undefined : parseWith(route.body, await readJson(c, route.maxBodyBytes ?? 4 << 20), "Body");
    try {
      if (access === "administrator") needAdministrator(actor);
      if (route.method !== "get" && route.asks !== true && access !== "anyone") needWriteKey(actor);
    } catch (error) {
      parts.platform.noteRefused(actor, `api.${route.id}`, readCredentials(c).address);
      throw error;
    }
    const signal = AbortSignal.any(endingSignals(c, parts));
    const answer = await handler({ actor, caller, params, query, body, c, signal } as RouteInput<P, Q, B>);
    if (answer instanceof Response) return answer;
    return route.output === undefined ? c.body(null, 204) : c.json(answer as never, route.status ?? 200);
  });
}

function describe(api: Api, route: Definition<unknown, unknown, unknown, unknown>, access: Access): void {
  const failures = [
    400,
    ...(access === "anyone" ? [] : [401]),
    ...(access === "administrator" ? [403] : []),
    ...(route.params === undefined ? [] : [404]),
    429,
  ];
  const json = (schema: unknown, description: string) => ({ description, content: { "application/json": { schema: schema as z.ZodType } } });
  const status = route.status ?? 200;
  const success =
    route.media !== undefined
      ? { 200: { description: route.media.description, content: { [route.media.type]: { schema: z.string() } } } }
      : route.output === undefined
        ? { 204: { description: "Done" } }
        : { [status]: json(route.output, "Done") };
  const body =
    route.rawBody ??
    (route.body === undefined ? undefined : { required: true, content: { "application/json": { schema: route.body as z.ZodType } } });
  api.openAPIRegistry.registerPath({
    method: route.method,
    path: `/api${route.path}`,
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    description: route.description === undefined ? route.zh : `${route.zh}\n\n${route.description}`,
    "x-summary-zh": route.zh,
    security: access === "anyone" ? [] : [{ key: [] }, { session: [] }],
    request: {
      ...(route.params === undefined ? {} : { params: route.params as never }),
      ...(route.query === undefined ? {} : { query: route.query as never }),
      ...(body === undefined ? {} : { body }),
    },
    responses: { ...success, ...Object.fromEntries(failures.map((code) => [code, json(errorSchema, errorWords[code] ?? "Failed")])) },
  });
}
