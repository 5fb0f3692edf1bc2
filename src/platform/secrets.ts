/** @file Secrets kept in the data folder, keys and codes: made at random, stored as hashes, compared in constant time. */
import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

export const hashSecret = (secret: string): string => createHash("sha256").update(secret).digest("hex");

export function sameSecret(a: string, b: string): boolean {
  const left = createHash("sha256").update(a).digest();
  return timingSafeEqual(left, createHash("sha256").update(b).digest());
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford: nothing that looks like something else

/** 5 random bits a character. */
export function randomText(length: number): string {
  return Array.from(randomBytes(length), (byte) => alphabet[byte % 32]).join("");
}

/** Read from `dataDir/name`, or made there; only the owner of the folder may read it. */
export function loadSecretFile(dataDir: string, name: string, fresh: boolean): string {
  const file = path.join(dataDir, name);
  if (!fresh) {
    try {
      const found = readFileSync(file, "utf8").trim();
      chmodSync(file, 0o600);
      if (found.length >= 32) return found;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  mkdirSync(dataDir, { recursive: true });
  const secret = randomBytes(32).toString("base64url");
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  return secret;
}

/** What must be read again but not from a copy of the database alone: AES-256-GCM under a key kept in another file. */
export function sealSecret(text: string, key: string): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", createHash("sha256").update(key).digest(), iv);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString("base64url");
}

export function openSecret(sealed: string, key: string): string {
  const bytes = Buffer.from(sealed, "base64url");
  const decipher = createDecipheriv("aes-256-gcm", createHash("sha256").update(key).digest(), bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(12, 28));
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8");
}
