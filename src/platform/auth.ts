/** @file better-auth over our own rows: passwords and sessions. Who may do what is decided elsewhere. */
import type { AuthRow, AuthWhere, PeopleStore } from "./store.ts";

export type Auth = {
  hashPassword(password: string): Promise<string>;
  /** null: wrong e-mail or password. */
  signIn(email: string, password: string, headers: Headers): Promise<{ readonly userId: string; readonly setCookies: readonly string[] } | null>;
  readSession(headers: Headers): Promise<{ readonly userId: string; readonly setCookies: readonly string[] } | null>;
  signOut(headers: Headers): Promise<readonly string[]>;
};

/** Carries the socket's address to the session row; whatever the client sent under that name was dropped before. */
export const addressHeader = "x-starbox-address";

/** Loaded on first use: a box that only sees API keys never pays for it. */
export async function loadAuth(store: PeopleStore, secret: string, trustedOrigins: readonly string[]): Promise<Auth> {
  const [{ betterAuth }, { createAdapterFactory }] = await Promise.all([import("better-auth/minimal"), import("better-auth/adapters")]);
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
    emailAndPassword: { enabled: true, disableSignUp: true, minPasswordLength: 8, maxPasswordLength: 256 },
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
  const context = await auth.$context;
  return {
    hashPassword: (password) => context.password.hash(password),
    async signIn(email, password, headers) {
      try {
        const result = await auth.api.signInEmail({ body: { email, password }, headers, returnHeaders: true });
        return { userId: result.response.user.id, setCookies: result.headers.getSetCookie() };
      } catch (error) {
        const status = (error as { statusCode?: number }).statusCode;
        if (status !== undefined && status >= 400 && status < 500) return null;
        throw error;
      }
    },
    async readSession(headers) {
      const result = await auth.api.getSession({ headers, returnHeaders: true });
      return result.response === null ? null : { userId: result.response.user.id, setCookies: result.headers.getSetCookie() };
    },
    async signOut(headers) {
      return (await auth.api.signOut({ headers, returnHeaders: true })).headers.getSetCookie();
    },
  };
}
