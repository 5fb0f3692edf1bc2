/** @file Asks the house's LDAP directory whether a password is right, if one is set: look the person up, then bind as them. */
import { Client } from "ldapts";
import { outbound, type Settings, StarboxError } from "#base";
import type { Claims } from "./oidc.ts";

export type LdapSettings = Pick<Settings, "ldapUrl" | "ldapBase" | "ldapBindDn" | "ldapBindPassword" | "ldapFilter">;

/** null: wrong name or password. */
export type Ldap = { check(login: string, password: string): Promise<Claims | null> };

/** null: not set. */
export function createLdap(settings: LdapSettings): Ldap | null {
  if (settings.ldapUrl === "") return null;
  const url = new URL(settings.ldapUrl);
  outbound.allow(`${url.protocol}//${url.hostname}:${url.port || (url.protocol === "ldaps:" ? 636 : 389)}`, "sign-in: LDAP");
  const withClient = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ url: settings.ldapUrl, timeout: 10_000, connectTimeout: 5000, strictDN: false });
    try {
      return await work(client);
    } finally {
      await client.unbind().catch(() => undefined);
    }
  };
  return {
    async check(login, password) {
      // An empty password would be an anonymous bind, which succeeds.
      if (login === "" || password === "") return null;
      const entry = await withClient(async (client) => {
        await client.bind(settings.ldapBindDn, settings.ldapBindPassword);
        const { searchEntries } = await client.search(settings.ldapBase, {
          scope: "sub",
          filter: settings.ldapFilter.replaceAll("{login}", escapeFilter(login)),
          attributes: ["mail", "cn", "displayName"],
          sizeLimit: 2,
        });
        return searchEntries.length === 1 ? searchEntries[0] : undefined;
      }).catch((error: unknown) => {
        throw unreachable(error);
      });
      if (entry === undefined) return null;
      const right = await withClient(async (client) => await client.bind(entry.dn, password)).then(
        () => true,
        (error: unknown) => {
          if ((error as { code?: number }).code === invalidCredentials) return false;
          throw unreachable(error);
        },
      );
      const email = first(entry["mail"])?.toLowerCase() ?? null;
      return right ? { subject: entry.dn.toLowerCase(), email, name: first(entry["displayName"]) ?? first(entry["cn"]) } : null;
    },
  };
}

const invalidCredentials = 49;

/** RFC 4515: nothing that was typed can become a part of the filter. */
function escapeFilter(text: string): string {
  return Array.from(Buffer.from(text, "utf8"), (byte) =>
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
      ? String.fromCharCode(byte)
      : `\\${byte.toString(16).padStart(2, "0")}`,
  ).join("");
}

function first(value: unknown): string | null {
  const one = Array.isArray(value) ? value[0] : value;
  return typeof one === "string" && one !== "" ? one : null;
}

const unreachable = (error: unknown): StarboxError =>
  new StarboxError("upstream_failed", "The directory (LDAP) cannot be asked.", {
    hint: "Try again later; the administrator checks STARBOX_LDAP_URL and its account.",
    zh: { message: "无法查询目录服务（LDAP）。", hint: "请稍后再试；管理员请检查 STARBOX_LDAP_URL 及其账号。" },
    cause: error,
  });
