/** @file Personal data: what is masked where, how long what is kept, what must not go, and one person's data as a whole. */
import type { Actor } from "./platform.ts";

/** mobile: Chinese mobile number; identity: 18 digits with a right check digit; bankCard: an issuer's beginning and a right check digit; word: of the house's own list. */
export type MaskKind = "mobile" | "identity" | "bankCard" | "email" | "word";
export type MaskPlace = "input" | "output" | "stored";

export type MaskPolicy = {
  /** What people and programs send, before a search or a model sees it. */
  readonly input: readonly MaskKind[];
  /** What they get: answers, quotes, streamed text. */
  readonly output: readonly MaskKind[];
  /** What chats, answers and open questions keep. */
  readonly stored: readonly MaskKind[];
  /** refuse: a request that holds any of `input` is sent back unread. */
  readonly onInput: "mask" | "refuse";
  readonly words: readonly string[];
};

/** Days; null: for ever. */
export type RetentionPolicy = {
  /** Chats and answers, from their last change. */
  readonly historyDays: number | null;
  /** Documents, from their last upload or change. */
  readonly uploadsDays: number | null;
  /** The program's log files. */
  readonly logsDays: number | null;
  readonly auditDays: number | null;
  readonly usageDays: number | null;
};

/** Under a hold nothing is removed: not by retention, not by people, not by an erasure. */
export type HoldKind = "everything" | "person" | "base" | "document" | "chat";
export type Hold = {
  readonly id: string;
  readonly kind: HoldKind;
  readonly subject: string;
  readonly reason: string;
  readonly createdAt: string;
  readonly releasedAt: string | null;
};

export type RetentionReport = {
  readonly at: string;
  readonly removed: {
    readonly chats: number;
    readonly answers: number;
    readonly gaps: number;
    readonly documents: number;
    readonly logLines: number;
    readonly auditRows: number;
    readonly usageRows: number;
  };
  /** Due, but held. */
  readonly held: number;
};

export type ErasureReport = {
  readonly id: string;
  readonly at: string;
  /** Rows (or lines of a log) by where they were. */
  readonly erased: Readonly<Record<string, number>>;
  /** What stays and why, in both languages. */
  readonly kept: readonly { readonly what: string; readonly count: number; readonly why: string; readonly zh: string }[];
  /** Every table, index and file was searched again afterwards; places where a trace was still found. */
  readonly traces: readonly string[];
};

/** For administrators and the operator; a person may export their own data. */
export type PrivacyService = {
  readMasks(actor: Actor): Promise<MaskPolicy>;
  writeMasks(actor: Actor, policy: Partial<MaskPolicy>): Promise<MaskPolicy>;
  /** What the masks make of a text. */
  tryMasks(actor: Actor, text: string): Promise<Readonly<Record<MaskPlace, string>>>;
  /** Masks what is stored already, by the present policy. */
  maskHistory(actor: Actor): Promise<{ readonly turns: number; readonly answers: number; readonly gaps: number; readonly chats: number }>;
  readRetention(actor: Actor): Promise<RetentionPolicy>;
  writeRetention(actor: Actor, policy: Partial<RetentionPolicy>): Promise<RetentionPolicy>;
  runRetention(actor: Actor): Promise<RetentionReport>;
  listHolds(actor: Actor): Promise<readonly Hold[]>;
  addHold(actor: Actor, hold: { readonly kind: HoldKind; readonly subject: string; readonly reason: string }): Promise<Hold>;
  releaseHold(actor: Actor, id: string): Promise<void>;
  /** JSON Lines: {table, row}. Of an id or an e-mail. */
  exportPerson(actor: Actor, person: string): AsyncIterable<string>;
  erasePerson(actor: Actor, person: string): Promise<ErasureReport>;
  listErasures(actor: Actor): Promise<readonly ErasureReport[]>;
};
