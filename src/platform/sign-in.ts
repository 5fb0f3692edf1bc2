/** @file Ways in: set-up code, password with a second factor, LDAP, OIDC, invitation. Tries are counted by socket address and account, never by a header. */
import { newId } from "#base";
import type { AuditSink, Caller, Credentials, Platform } from "#contracts";
import { createAttempts } from "./attempts.ts";
import type { Auth } from "./auth.ts";
import type { Ldap } from "./ldap.ts";
import type { Claims, Oidc } from "./oidc.ts";
import { acceptInvitation, hashPassword, preparePerson } from "./people.ts";
import { alreadySetUp, needSecondFactor, notKnownHere, oidcNotSet, wrongCode, wrongPassword, wrongSetupCode } from "./problems.ts";
import type { SecondFactor } from "./second-factor.ts";
import { hashSecret, randomText, sameSecret } from "./secrets.ts";
import type { PeopleStore, StoredPerson } from "./store.ts";

export type SignInDeps = {
  readonly store: PeopleStore;
  readonly loadedAuth: () => Promise<Auth>;
  readonly secondFactor: SecondFactor;
  readonly oidc: Oidc | null;
  readonly ldap: Ldap | null;
  readonly newPeople: "known" | "anyone";
  readonly audit: AuditSink;
  readonly now: () => number;
};

type Part = Pick<Platform, "setupCode" | "setUp" | "signIn" | "signInWays" | "startOidc" | "finishOidc" | "readInvitation" | "acceptInvitation">;

const minute = 60_000;

export function createSignIn(deps: SignInDeps): Part {
  const { store, now, audit } = deps;
  const byAddress = createAttempts(10, minute, now);
  const byAccount = createAttempts(10, 15 * minute, now);
  let code: string | null = null;
  if (store.countAdministrators() === 0) {
    const letters = randomText(12).toUpperCase();
    code = `${letters.slice(0, 4)}-${letters.slice(4, 8)}-${letters.slice(8)}`;
    store.writeSetupCode(hashSecret(letters));
  }

  const enter = async (person: StoredPerson, from: Credentials, way: string): Promise<Caller> => {
    if (person.role === "api-only") throw wrongPassword();
    const setCookies = await (await deps.loadedAuth()).startSession(person.id, from);
    const actor = { personId: person.id, name: person.name, role: person.role };
    audit.record({
      actor,
      address: from.address,
      action: "session.start",
      subject: { kind: "person", id: person.id },
      outcome: "ok",
      details: { way },
    });
    return { actor, email: person.email, via: "session", setCookies };
  };
  const refused = (from: Credentials, way: string, email: string): void =>
    audit.record({
      actor: null,
      address: from.address,
      action: "session.start",
      subject: { kind: "email", id: email },
      outcome: "refused",
      details: { way },
    });

  return {
    setupCode: () => (store.countAdministrators() === 0 ? code : null),
    signInWays: () => ({ oidc: deps.oidc?.name ?? null, ldap: deps.ldap !== null }),
    async setUp(input, from) {
      if (store.countAdministrators() > 0) throw alreadySetUp();
      const address = `address ${from.address}`;
      byAddress.check(address);
      const hash = hashSecret(plainCode(input.code));
      if (!sameSecret(hash, store.readSetupCode() ?? "")) {
        byAddress.failed(address);
        throw wrongSetupCode();
      }
      const { person, account } = await preparePerson({ ...input, role: "administrator" }, now);
      if (!store.spendSetupCode(hash, () => store.createPerson(person, account))) throw alreadySetUp();
      code = null;
      return await enter(person, from, "setup");
    },
    async signIn({ email: typed, password, code: second }, from) {
      const email = typed.trim().toLowerCase();
      const [account, address] = [`account ${email}`, `address ${from.address}`];
      byAddress.check(address);
      byAccount.check(account);
      // Counted before the slow comparison, so that many at once cannot slip through together.
      byAddress.failed(address);
      byAccount.failed(account);
      const person = await whoHasPassword(deps, email, password);
      if (person === null || person.role === "api-only") {
        refused(from, "password", email);
        throw wrongPassword();
      }
      if (deps.secondFactor.isOn(person.id)) {
        if (second === undefined || second === "") {
          // The password was right: asking for the code is not a failed try, but it does not clear the earlier ones either.
          byAddress.forgiven(address);
          byAccount.forgiven(account);
          throw needSecondFactor();
        }
        if (!deps.secondFactor.check(person.id, second)) {
          refused(from, "second-factor", email);
          throw wrongCode();
        }
      }
      byAddress.forgiven(address);
      byAccount.cleared(account);
      return await enter(person, from, "password");
    },
    async startOidc(redirectUri) {
      if (deps.oidc === null) throw oidcNotSet();
      return await deps.oidc.start(redirectUri);
    },
    async finishOidc(currentUrl, ticket, from) {
      if (deps.oidc === null) throw oidcNotSet();
      const address = `address ${from.address}`;
      byAddress.check(address);
      byAddress.failed(address);
      const claims = await deps.oidc.finish(currentUrl, ticket);
      const person = whoIs(deps, "oidc", claims);
      if (person === null) {
        refused(from, "oidc", claims.email ?? claims.subject);
        throw notKnownHere();
      }
      byAddress.forgiven(address);
      return await enter(person, from, "oidc");
    },
    readInvitation(token, from) {
      const address = `address ${from.address}`;
      byAddress.check(address);
      const row = store.invitations.findByHash(hashSecret(token));
      if (row !== undefined && row.expiresAt > new Date(now()).toISOString()) return { email: row.email, role: row.role };
      byAddress.failed(address);
      return null;
    },
    async acceptInvitation(input, from) {
      const address = `address ${from.address}`;
      byAddress.check(address);
      byAddress.failed(address);
      const person = await acceptInvitation(deps, input);
      byAddress.forgiven(address);
      return await enter(person, from, "invitation");
    },
  };
}

let nobodysHash: Promise<string> | undefined;

/** The time taken is the same whether the e-mail is known or not. */
async function whoHasPassword(deps: SignInDeps, email: string, password: string): Promise<StoredPerson | null> {
  const person = deps.store.findByEmail(email);
  const hash = person === undefined ? null : deps.store.passwordHash(person.id);
  nobodysHash ??= hashPassword(randomText(20));
  const { verifyPassword } = await import("better-auth/crypto");
  const right = await verifyPassword({ hash: hash ?? (await nobodysHash), password });
  if (person !== undefined && hash !== null && right) return person;
  // A password kept here is the one that counts; the directory is asked for all others.
  if (deps.ldap === null || hash !== null) return null;
  const claims = await deps.ldap.check(email, password);
  return claims === null ? null : whoIs(deps, "ldap", claims);
}

/** Known by the directory's own number for them, else by an e-mail it vouches for; else, if that is switched on, new. */
function whoIs({ store, newPeople, audit, now }: SignInDeps, provider: string, claims: Claims): StoredPerson | null {
  const linked = store.findByIdentity(provider, claims.subject);
  if (linked !== undefined) return linked;
  const email = claims.email;
  if (email === null) return null;
  const at = new Date(now()).toISOString();
  return store.transaction(() => {
    let person = store.findByEmail(email);
    if (person === undefined) {
      if (newPeople !== "anyone") return null;
      person = { id: newId("person", now()), name: claims.name ?? email, email, role: "member", createdAt: at };
      store.createPerson(person, null);
      const actor = { personId: person.id, name: person.name, role: person.role };
      audit.record({ actor, action: "person.create", subject: { kind: "person", id: person.id }, outcome: "ok", details: { way: provider } });
    }
    store.addIdentity(newId("account", now()), person.id, provider, claims.subject, at);
    return person;
  });
}

/** As typed or pasted: case, blanks and dashes do not matter, nor 0/O and 1/I/L. */
function plainCode(code: string): string {
  const letters = code.toUpperCase().replace(/[^0-9A-Z]/g, "");
  return letters.replaceAll("O", "0").replace(/[IL]/g, "1");
}
