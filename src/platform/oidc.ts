/** @file Signing in through the house's own OpenID Connect provider, if one is set. Nothing is asked of it before somebody chooses to. */
import * as client from "openid-client";
import { outbound, type Settings, StarboxError } from "#base";
import { randomText } from "./secrets.ts";

export type OidcSettings = Pick<Settings, "oidcIssuer" | "oidcClientId" | "oidcClientSecret" | "oidcName">;

/** What the provider vouches for. */
export type Claims = { readonly subject: string; readonly email: string | null; readonly name: string | null };

export type Oidc = {
  readonly name: string;
  /** The provider's page, and a ticket that the browser keeps until it is back. */
  start(redirectUri: string): Promise<{ readonly url: string; readonly ticket: string }>;
  finish(currentUrl: string, ticket: string): Promise<Claims>;
};

type Waiting = { readonly state: string; readonly nonce: string; readonly verifier: string; readonly redirectUri: string; readonly until: number };

const patienceMs = 10 * 60_000;
const mostWaiting = 1000;

/** null: not set. */
export function createOidc(settings: OidcSettings, now: () => number): Oidc | null {
  if (settings.oidcIssuer === "" || settings.oidcClientId === "") return null;
  outbound.allow(settings.oidcIssuer, "sign-in: OpenID Connect");
  let found: Promise<client.Configuration> | undefined;
  const configuration = async (): Promise<client.Configuration> => {
    found ??= discover(settings);
    try {
      return await found;
    } catch (error) {
      found = undefined; // asked again next time
      throw unreachable(error);
    }
  };
  const waiting = new Map<string, Waiting>();
  return {
    name: settings.oidcName,
    async start(redirectUri) {
      const config = await configuration();
      const entry = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
        redirectUri,
        until: now() + patienceMs,
      };
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: "openid email profile",
        state: entry.state,
        nonce: entry.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(entry.verifier),
        code_challenge_method: "S256",
      });
      const ticket = randomText(40);
      for (const [key, other] of waiting) if (other.until < now() || waiting.size >= mostWaiting) waiting.delete(key);
      waiting.set(ticket, entry);
      return { url: url.href, ticket };
    },
    async finish(currentUrl, ticket) {
      const entry = waiting.get(ticket);
      waiting.delete(ticket);
      if (entry === undefined || entry.until < now()) throw refused("it took too long, or began in another browser");
      const url = new URL(entry.redirectUri);
      url.search = new URL(currentUrl).search;
      try {
        const tokens = await client.authorizationCodeGrant(await configuration(), url, {
          pkceCodeVerifier: entry.verifier,
          expectedState: entry.state,
          expectedNonce: entry.nonce,
        });
        const claims = tokens.claims();
        if (claims === undefined) throw new Error("no id token");
        const email = typeof claims.email === "string" && claims.email_verified === true ? claims.email.toLowerCase() : null;
        return { subject: claims.sub, email, name: typeof claims.name === "string" ? claims.name : null };
      } catch (error) {
        if (StarboxError.is(error)) throw error;
        throw refused((error as Error).message);
      }
    },
  };
}

async function discover(settings: OidcSettings): Promise<client.Configuration> {
  const issuer = new URL(settings.oidcIssuer);
  const plain = issuer.protocol === "http:" ? [client.allowInsecureRequests] : [];
  const config = await client.discovery(
    issuer,
    settings.oidcClientId,
    settings.oidcClientSecret === "" ? undefined : settings.oidcClientSecret,
    undefined,
    {
      execute: plain,
      timeout: 10,
      [client.customFetch]: outbound.fetch as client.CustomFetch,
    },
  );
  return config;
}

const unreachable = (error: unknown): StarboxError =>
  new StarboxError("upstream_failed", "The sign-in provider cannot be reached.", {
    hint: "Sign in with e-mail and password, or try again later; the administrator checks STARBOX_OIDC_ISSUER.",
    zh: { message: "无法连接统一登录服务。", hint: "请用邮箱和密码登录，或稍后再试；管理员请检查 STARBOX_OIDC_ISSUER。" },
    cause: error,
  });

const refused = (why: string): StarboxError =>
  new StarboxError("unauthorized", `Signing in through the provider did not work: ${why.slice(0, 200)}.`, {
    hint: "Begin again on the sign-in page.",
    zh: { message: "统一登录未成功。", hint: "请回到登录页重新开始。" },
  });
