/** @file Codes from an authenticator app (TOTP) and the recovery codes that stand in for a lost one. */
import { Secret, TOTP } from "otpauth";
import { StarboxError } from "#base";
import { hashSecret, openSecret, randomText, sealSecret } from "./secrets.ts";
import type { PeopleStore } from "./store.ts";

export type SecondFactor = {
  isOn(personId: string): boolean;
  /** A new secret, not yet in force. */
  start(person: { readonly id: string; readonly email: string }): { readonly secret: string; readonly uri: string };
  /** In force from now on; the recovery codes are shown this once. False: the code is wrong. */
  confirm(personId: string, code: string): readonly string[] | false;
  /** A code of the app or a recovery code; each works once. */
  check(personId: string, code: string): boolean;
  remove(personId: string): void;
};

const recoveryCodes = 10;
const periodSeconds = 30;

export function createSecondFactor(store: PeopleStore, key: () => string, now: () => number): SecondFactor {
  const totpOf = (secret: string, label: string): TOTP =>
    new TOTP({ issuer: "Starbox", label, algorithm: "SHA1", digits: 6, period: periodSeconds, secret: Secret.fromBase32(secret) });
  /** Clocks of phones differ: one step to either side. Every step works once. */
  const spend = (personId: string, sealed: string, code: string): boolean => {
    const delta = totpOf(openSecret(sealed, key()), "").validate({ token: code, timestamp: now(), window: 1 });
    return delta !== null && store.secondFactors.spendStep(personId, Math.floor(now() / 1000 / periodSeconds) + delta);
  };
  return {
    isOn: (personId) => (store.secondFactors.read(personId)?.confirmedAt ?? null) !== null,
    start(person) {
      if ((store.secondFactors.read(person.id)?.confirmedAt ?? null) !== null) throw alreadyOn();
      const secret = new Secret({ size: 20 }).base32;
      store.secondFactors.write(person.id, { secret: sealSecret(secret, key()), confirmedAt: null, lastStep: 0, recovery: [] });
      return { secret, uri: totpOf(secret, person.email).toString() };
    },
    confirm(personId, code) {
      const row = store.secondFactors.read(personId);
      if (row === undefined || row.confirmedAt !== null || !spend(personId, row.secret, digits(code))) return false;
      const codes = Array.from({ length: recoveryCodes }, () => (randomText(10).match(/.{5}/g) ?? []).join("-"));
      const lastStep = store.secondFactors.read(personId)?.lastStep ?? 0;
      store.secondFactors.write(personId, { ...row, lastStep, confirmedAt: new Date(now()).toISOString(), recovery: codes.map(hashSecret) });
      return codes;
    },
    check(personId, code) {
      const row = store.secondFactors.read(personId);
      if (row === undefined || row.confirmedAt === null) return false;
      if (/^\d{6}$/.test(digits(code))) return spend(personId, row.secret, digits(code));
      const hash = hashSecret(code.trim().toLowerCase());
      if (!row.recovery.includes(hash)) return false;
      store.secondFactors.write(personId, { ...row, recovery: row.recovery.filter((item) => item !== hash) });
      return true;
    },
    remove: (personId) => void store.secondFactors.remove(personId),
  };
}

const digits = (code: string): string => code.replace(/[\s-]/g, "");

const alreadyOn = (): StarboxError =>
  new StarboxError("conflict", "A second factor is set up already.", {
    hint: "Switch it off first to set up another device.",
    zh: { message: "已启用两步验证。", hint: "若要更换设备，请先关闭再重新设置。" },
  });
