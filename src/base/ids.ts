/** @file Identifiers: sortable by time, unguessable enough not to collide, safe in URLs. Not secrets. */
import { randomBytes } from "node:crypto";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford base 32, lower case

/** `prefix_` + 9 characters of milliseconds + 10 random ones. */
export function newId(prefix: string, nowMs: number = Date.now()): string {
  let time = "";
  for (let rest = nowMs, i = 0; i < 9; i++, rest = Math.floor(rest / 32)) time = alphabet[rest % 32] + time;
  let random = "";
  for (const byte of randomBytes(10)) random += alphabet[byte % 32];
  return `${prefix}_${time}${random}`;
}
