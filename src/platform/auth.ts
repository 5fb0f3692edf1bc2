/** @file better-auth over our own rows: sessions and their cookies. Who may enter, and who may do what, is decided elsewhere. */
import { z } from "zod";
import type { Credentials } from "#contracts";
import type { AuthRow, AuthWhere, PeopleStore } from "./store.ts";

export type Auth = {
  /** For somebody whose right to enter was checked; the cookies of the new session. */
  startSession(personId: string, from: Credentials): Promise<readonly string[]>;
  readSession(from: Credentials): Promise<{
    readonly userId: string;
    readonly sessionId: string;
    readonly seenAt: number;
    readonly setCookies: readonly string[];
  } | null>;
  signOut(from: Credentials): Promise<readonly string[]>;
};

/** Carries the socket's address to the session row; whatever the client sent under that name was dropped before. */
const addressHeader = "x-starbox-address";

/** Loaded on first use: a box that only sees API keys never pays for it. */
export async function loadAuth(store: PeopleStore, secret: string, trustedOrigins: readonly string[]): Promise<Auth> {
  const [{ betterAuth }, { createAdapterFactory }, { createAuthEndpoint }, { setSessionCookie }] = await Promise.all([
    import("better-auth/minimal"),
    import("better-auth/adapters"),
    import("better-auth/api"),
    import("better-auth/cookies"),
  ]);
  type Target = { model: string; where: readonly unknown[] };
  const where = (list: readonly unknown[] | undefined): readonly AuthWhere[] => (list ?? []) as readonly AuthWhere[];
  const adapter = createAdapterFactory({
    config: {
      adapterId: "starbox",
      adapterName: "Starbox",
      supportsJSON: false,
      supportsDates: false,
      supportsBooleans: false,
      supportsNumericIds: false,
      transaction: false,
    },
    adapter: () => ({
      create: async <T extends Record<string, unknown>>({ model, data }: { model: string; data: T }): Promise<T> => {
        store.auth.insert(model, data as unknown as AuthRow);
        return data;
      },
      findOne: async <T>(target: Target): Promise<T | null> =>
        (store.auth.select(target.model, { where: where(target.where), limit: 1 })[0] as T | undefined) ?? null,
      findMany: async <T>(target: {
        model: string;
        where?: readonly unknown[] | undefined;
        limit: number;
        offset?: number | undefined;
        sortBy?: { field: string; direction: "asc" | "desc" } | undefined;
      }): Promise<T[]> =>
        store.auth.select(target.model, {
          where: where(target.where),
          limit: target.limit,
          ...(target.offset === undefined ? {} : { offset: target.offset }),
          ...(target.sortBy === undefined ? {} : { sortBy: target.sortBy }),
        }) as T[],
      update: async <T>(target: Target & { update: T }): Promise<T | null> => {
        store.auth.update(target.model, where(target.where), target.update as unknown as AuthRow);
        return (store.auth.select(target.model, { where: where(target.where), limit: 1 })[0] as T | undefined) ?? null;
      },
      updateMany: async (target: Target & { update: Record<string, unknown> }) =>
        store.auth.update(target.model, where(target.where), target.update as AuthRow),
      delete: async (target: Target) => void store.auth.remove(target.model, where(target.where)),
      deleteMany: async (target: Target) => store.auth.remove(target.model, where(target.where)),
      count: async (target: { model: string; where?: readonly unknown[] | undefined }) => store.auth.count(target.model, where(target.where)),
    }),
  });
  const auth = betterAuth({
    appName: "Starbox",
    database: adapter,
    secret,
    baseURL: "http://127.0.0.1", // our own routes call it; no URL of it ever reaches a browser
    trustedOrigins: [...trustedOrigins],
    telemetry: { enabled: false },
    logger: { disabled: true },
    emailAndPassword: { enabled: false }, // checked in sign-in.ts, before there is a session
    plugins: [
      {
        id: "starbox",
        endpoints: {
          // Without a path it is no route: only this program can call it.
          startSession: createAuthEndpoint({ method: "POST", body: z.object({ personId: z.string() }) }, async (context) => {
            const user = await context.context.internalAdapter.findUserById(context.body.personId);
            if (user === null) throw new Error("No such person.");
            const session = await context.context.internalAdapter.createSession(user.id);
            await setSessionCookie(context, { session, user });
            return { id: session.id };
          }),
        },
      },
    ],
    user: { modelName: "people", additionalFields: { role: { type: "string", input: false, required: true } } },
    session: { modelName: "sessions", expiresIn: 30 * 86_400, updateAge: 86_400 },
    account: { modelName: "accounts" },
    verification: { modelName: "verifications" },
    advanced: {
      cookiePrefix: "starbox",
      // A box on a LAN speaks plain HTTP: a Secure cookie would never come back.
      useSecureCookies: false,
      defaultCookieAttributes: { sameSite: "lax", httpOnly: true, path: "/" },
      ipAddress: { ipAddressHeaders: [addressHeader] },
    },
  });
  return {
    async startSession(personId, from) {
      const result = await auth.api.startSession({ body: { personId }, headers: sessionHeaders(from), returnHeaders: true });
      return result.headers.getSetCookie();
    },
    async readSession(from) {
      const result = await auth.api.getSession({ headers: sessionHeaders(from), returnHeaders: true });
      if (result.response === null) return null;
      const { user, session } = result.response;
      return { userId: user.id, sessionId: session.id, seenAt: session.updatedAt.getTime(), setCookies: result.headers.getSetCookie() };
    },
    async signOut(from) {
      return (await auth.api.signOut({ headers: sessionHeaders(from), returnHeaders: true })).headers.getSetCookie();
    },
  };
}

function sessionHeaders(from: Credentials): Headers {
  const headers = new Headers({ [addressHeader]: from.address });
  if (from.cookie !== null) headers.set("cookie", from.cookie);
  if (from.userAgent !== null) headers.set("user-agent", from.userAgent);
  return headers;
}
