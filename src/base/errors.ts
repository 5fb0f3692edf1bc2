/** @file The one error type: a stable code, what was expected and what came, and the way out. HTTP statuses live in `server`. */

/** Every code is a promise to people who script against the box. Add here first; `server` must then choose a status. */
export const errorCodes = [
  // what the caller sent
  "invalid_input",
  "not_found",
  "conflict",
  "unauthorized",
  "second_factor_required",
  "forbidden",
  "csrf_failed",
  "too_large",
  "usage",
  // models and engines
  "model_not_found",
  "model_not_ready",
  "model_in_use",
  "model_invalid",
  "model_too_large",
  "model_hash_mismatch",
  "model_source_unreachable",
  "model_pull_cancelled",
  "unsupported",
  "engine_crashed",
  "engine_failed",
  "context_too_long",
  "cancelled",
  "busy",
  "quota_exceeded",
  "upstream_failed",
  // operators and devices
  "tensor_invalid",
  "device_unsupported",
  "native_failed",
  "disposed",
  "memory_exceeded",
  // documents
  "unsupported_format",
  "document_corrupt",
  "document_password",
  "document_too_large",
  "document_too_heavy",
  "document_bomb",
  "document_empty",
  "document_needs_ocr",
  "encoding_unknown",
  "document_timeout",
  "path_unsafe",
  "file_unreadable",
  // knowledge bases
  "kb_not_found",
  "kb_exists",
  "document_not_found",
  "embedder_not_ready",
  // the box
  "disk_full",
  "data_locked",
  "data_corrupt",
  "settings_invalid",
  "port_in_use",
  "setup_required",
  "setup_code_wrong",
  "box_unreachable",
  "outbound_refused",
  "backup_invalid",
  "internal",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export type ErrorOptions = {
  /** The next step that gets the person out. */
  readonly hint?: string;
  /** The same message and hint in Chinese; English is `message` and `hint`. */
  readonly zh?: { readonly message: string; readonly hint?: string };
  readonly details?: Readonly<Record<string, unknown>>;
  /** For `busy`: seconds until trying again makes sense. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
};

const marker = Symbol.for("starbox.error");

export class StarboxError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly zh: ErrorOptions["zh"];
  readonly details: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "StarboxError";
    this.code = code;
    this.hint = options.hint;
    this.zh = options.zh;
    this.details = options.details ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
    Object.defineProperty(this, marker, { value: true });
  }

  /** True for our errors, whatever realm they come from; with a code, only for that one. */
  static is(error: unknown, code?: ErrorCode): error is StarboxError {
    return typeof error === "object" && error !== null && marker in error && (code === undefined || (error as unknown as StarboxError).code === code);
  }
}

/** What crosses a process or the wire. Never a stack. */
export type ErrorRecord = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly zh?: { readonly message: string; readonly hint?: string };
  readonly details?: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds?: number;
};

/** Foreign errors become `internal` with their message; the stack stays in the log. */
export function toErrorRecord(error: unknown): ErrorRecord {
  if (!StarboxError.is(error)) return { code: "internal", message: error instanceof Error ? error.message : String(error) };
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.zh === undefined ? {} : { zh: error.zh }),
    ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
  };
}

export function fromErrorRecord(record: ErrorRecord): StarboxError {
  const { code, message, ...options } = record;
  return new StarboxError(errorCodes.includes(code) ? code : "internal", message, options);
}
