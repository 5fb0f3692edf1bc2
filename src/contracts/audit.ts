/** @file The audit log as people and programs read it. What is recorded is an AuditEvent of `platform`. */
import type { Actor, AuditEvent } from "./platform.ts";

export type AuditActor = {
  readonly personId: string | null;
  readonly name: string;
  /** nobody: not known, such as a failed sign-in. */
  readonly role: Actor["role"] | "nobody";
  readonly keyId?: string;
  readonly teamId?: string;
  /** The administrator who looked through this person's eyes. */
  readonly viewedBy?: { readonly personId: string | null; readonly name: string };
  /** The socket's. */
  readonly address?: string;
};

export type AuditEntry = {
  readonly seq: number;
  readonly at: string;
  readonly action: string;
  readonly outcome: AuditEvent["outcome"];
  readonly subject: { readonly kind: string; readonly id: string; readonly kbId?: string } | null;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
  /** null: erased on request. */
  readonly actor: AuditActor | null;
  /** SHA-256 over this row and the hash of the row before. */
  readonly hash: string;
  readonly prev: string;
};

export type AuditVerdict = {
  readonly ok: boolean;
  readonly rows: number;
  /** Numbers of the first and the last row there. */
  readonly from: number;
  readonly to: number;
  readonly problemCount: number;
  /** head: the signed head beside the database is gone or was not signed by this box. Rows are named by their numbers, both inclusive. */
  readonly problems: readonly {
    readonly kind: "changed" | "missing" | "added" | "head" | "personal-part-missing" | "personal-part-changed";
    readonly from: number;
    readonly to: number;
  }[];
  /** Of the key that signs: write it down, a replaced key then shows. */
  readonly fingerprint: string;
  readonly checkedAt: string;
};

export type AuditQuery = {
  /** The action, or its beginning: "key." */
  readonly action?: string;
  readonly outcome?: string;
  readonly personId?: string;
  readonly subject?: string;
  readonly from?: string;
  readonly to?: string;
};

export type AuditStatus = {
  readonly rows: number;
  readonly fingerprint: string;
  readonly syslog: { readonly target: string; readonly sentTo: number; readonly waiting: number; readonly error: string | null } | null;
};

/** For administrators and the operator. */
export type AuditService = {
  /** Newest first. */
  list(
    actor: Actor,
    query: AuditQuery & { readonly before?: number; readonly limit?: number },
  ): Promise<{ readonly items: readonly AuditEntry[]; readonly nextBefore: number | null }>;
  verify(actor: Actor): Promise<AuditVerdict>;
  status(actor: Actor): Promise<AuditStatus>;
  /** Lines, oldest first: one JSON object each, or RFC 5424 messages. */
  export(actor: Actor, format: "jsonl" | "syslog", query?: AuditQuery): AsyncIterable<string>;
};
