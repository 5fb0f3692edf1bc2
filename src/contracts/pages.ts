/** @file Chat pages for people who do not sign in: behind a link nobody guesses, or in a frame on named sites. */
import type { AnswerPart } from "./answer.ts";
import type { Actor } from "./platform.ts";

export type PageInfo = {
  /** Random; whoever knows it may ask. */
  readonly id: string;
  readonly name: string;
  readonly greeting: string;
  readonly kbIds: readonly string[];
  /** Sites that may show it in a frame (https://intranet.example); empty: none, the link only. */
  readonly origins: readonly string[];
  readonly enabled: boolean;
  readonly createdBy: string | null;
  readonly createdAt: string;
};

export type PageInput = Pick<PageInfo, "name" | "greeting" | "kbIds" | "origins" | "enabled">;

export type PageService = {
  list(actor: Actor): Promise<readonly PageInfo[]>;
  create(actor: Actor, input: PageInput): Promise<PageInfo>;
  update(actor: Actor, id: string, patch: Partial<PageInput>): Promise<PageInfo>;
  remove(actor: Actor, id: string): Promise<void>;
  /** For anybody. null: not there, or switched off. */
  open(id: string): Promise<PageInfo | null>;
  /** Sees only what everyone who signs in may read, of the page's bases. */
  ask(id: string, question: string, signal: AbortSignal): AsyncIterable<AnswerPart>;
};
