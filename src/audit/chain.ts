/** @file What a row of the audit log is sealed with: a hash over it and the row before, and digests of its personal parts. */
import { createHash, randomBytes } from "node:crypto";
import type { AuditPart, AuditRow } from "#storage";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** What stands before the first row. */
export const genesis = sha256("starbox audit 1");

export type Unsealed = Omit<AuditRow, "hash" | "seal">;

/** Every field in a fixed order; `prev` carries all rows before. */
export const hashRow = (row: Unsealed): string =>
  sha256(JSON.stringify([row.seq, row.at, row.action, row.outcome, row.kind, row.subject, row.details, row.actor, row.person, row.prev]));

export const digestPart = (part: Pick<AuditPart, "salt" | "data">): string => sha256(`${part.salt} ${part.data}`);

/** The salt keeps an erased part from being guessed back from its digest. */
export function createPart(seq: number, part: AuditPart["part"], personId: string | null, value: object): AuditPart {
  return { seq, part, personId, salt: randomBytes(16).toString("hex"), data: JSON.stringify(value) };
}

/** "3,7-9" and back: which rows an erasure concerned. */
export function presentRanges(seqs: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < seqs.length; ) {
    let end = i;
    while (seqs[end + 1] === (seqs[end] ?? 0) + 1) end++;
    parts.push(end === i ? `${seqs[i]}` : `${seqs[i]}-${seqs[end]}`);
    i = end + 1;
  }
  return parts.join(",");
}

export function parseRanges(text: string): readonly (readonly [number, number])[] {
  return text
    .split(",")
    .filter((part) => part !== "")
    .map((part) => {
      const [from = 0, to = from] = part.split("-").map(Number);
      return [from, to] as const;
    });
}
