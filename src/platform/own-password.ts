/** @file One's own new password: the present one is asked first, and every other place where one is signed in ends. */
import { StarboxError } from "#base";
import type { AuditSink, Platform } from "#contracts";
import { createAttempts } from "./attempts.ts";
import { hashPassword } from "./people.ts";
import { needSession } from "./problems.ts";
import type { Revocations } from "./revocations.ts";
import type { PeopleStore } from "./store.ts";

const tries = 10;
const windowMs = 15 * 60_000;

/** A session somebody left open must not become the account. */
export function createOwnPassword(
  store: PeopleStore,
  audit: AuditSink,
  revocations: Revocations,
  now: () => number,
): Pick<Platform, "changeOwnPassword"> {
  const attempts = createAttempts(tries, windowMs, now);
  return {
    async changeOwnPassword(caller, { current, password }) {
      const id = caller.actor.personId;
      if (caller.via !== "session" || id === null || caller.sessionId === undefined || caller.actor.viewedBy !== undefined) throw needSession();
      const hash = store.passwordHash(id);
      if (hash === null) throw keptElsewhere();
      const note = (outcome: "ok" | "refused"): void =>
        audit.record({ actor: caller.actor, action: "person.password", subject: { kind: "person", id }, outcome });
      attempts.check(id);
      // Counted before the slow comparison, so that many at once cannot slip through together.
      attempts.failed(id);
      const { verifyPassword } = await import("better-auth/crypto");
      if (!(await verifyPassword({ hash, password: current }))) {
        note("refused");
        throw wrongPresent();
      }
      attempts.cleared(id);
      const passwordHash = await hashPassword(password);
      const others = store.sessions.list(id).flatMap((row) => (row.id === caller.sessionId ? [] : [row.id]));
      store.transaction(() => {
        store.updatePerson(id, { passwordHash }, new Date(now()).toISOString(), caller.sessionId);
        note("ok");
      });
      for (const session of others) revocations.endSession(session);
    },
  };
}

const wrongPresent = (): StarboxError =>
  new StarboxError("invalid_input", "The present password is wrong.", {
    hint: "Type the one you sign in with now. If it is lost, an administrator sets a new one.",
    zh: { message: "当前密码不正确。", hint: "请输入现在用来登录的密码；如已忘记，请管理员为你设置新密码。" },
  });

const keptElsewhere = (): StarboxError =>
  new StarboxError("conflict", "This box keeps no password of yours: you sign in through the house's directory or provider.", {
    hint: "Change it there.",
    zh: { message: "本机没有保存你的密码：你通过统一登录或目录服务登录。", hint: "请在那里修改密码。" },
  });
