/** @file What an entry of the list of hostile inputs says: what it tries, what is sent, what must come back. */

/** `as`: who sends it. `raw`: bytes on the socket, as no honest client would send them. */
export type HostileRequest = {
  readonly id: string;
  readonly tries: string;
  readonly as?: "member" | "operator" | "nobody" | "cookie";
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
  readonly raw?: string;
  /** Statuses that are a good answer; 0: the connection is closed without one. */
  readonly status: readonly number[];
  readonly code?: string;
  /** Must not be in the answer. */
  readonly never?: readonly string[];
};

/** A file sent to the public base. */
export type HostileFile = {
  readonly id: string;
  readonly tries: string;
  readonly name: string;
  readonly bytes: string | Uint8Array | (() => Uint8Array);
  /** Read as text, refused at the door (status and code), or set aside as failed (code). */
  readonly ends: { readonly read: true } | { readonly refused: number; readonly code: string } | { readonly failed: readonly string[] };
  /** What a person then asks; the answer must hold nothing of the secret base, no link that was planted and no instruction carried out. */
  readonly ask?: string;
};
