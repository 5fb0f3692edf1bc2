/** @file One table from codes to HTTP statuses, and how an error looks on the wire. */
import { type ErrorCode, type ErrorRecord, type Logger, StarboxError, toErrorRecord } from "#base";

export const errorStatus = {
  invalid_input: 400,
  not_found: 404,
  conflict: 409,
  unauthorized: 401,
  second_factor_required: 401,
  forbidden: 403,
  csrf_failed: 403,
  too_large: 413,
  usage: 400,
  model_not_found: 404,
  model_not_ready: 503,
  model_in_use: 409,
  model_invalid: 400,
  model_too_large: 507,
  model_hash_mismatch: 502,
  model_source_unreachable: 502,
  model_pull_cancelled: 409,
  unsupported: 400,
  engine_crashed: 500,
  engine_failed: 500,
  context_too_long: 400,
  cancelled: 499,
  busy: 429,
  quota_exceeded: 429,
  upstream_failed: 502,
  unsupported_format: 415,
  document_corrupt: 422,
  document_password: 422,
  document_too_large: 413,
  document_too_heavy: 422,
  document_bomb: 422,
  document_empty: 422,
  document_needs_ocr: 422,
  encoding_unknown: 422,
  document_timeout: 422,
  path_unsafe: 400,
  file_unreadable: 400,
  kb_not_found: 404,
  kb_exists: 409,
  document_not_found: 404,
  embedder_not_ready: 503,
  disk_full: 507,
  data_locked: 423,
  data_corrupt: 500,
  settings_invalid: 500,
  port_in_use: 409,
  setup_required: 403,
  setup_code_wrong: 403,
  box_unreachable: 502,
  outbound_refused: 403,
  backup_invalid: 422,
  internal: 500,
  tensor_invalid: 400,
  device_unsupported: 400,
  native_failed: 500,
  disposed: 500,
  memory_exceeded: 507,
} as const satisfies Record<ErrorCode, number>;

/** What the client may know. Foreign errors keep their message in the log only: it may hold paths or SQL. */
export function readError(error: unknown, logger: Logger, where: string): ErrorRecord {
  if (StarboxError.is(error)) {
    if (errorStatus[error.code] >= 500) logger.warn({ where, code: error.code, message: error.message }, "request failed");
    return toErrorRecord(error);
  }
  logger.error({ where, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, "request failed");
  return {
    code: "internal",
    message: "The box met an unexpected fault.",
    hint: "The log in the data folder's logs/ has the details; starbox doctor looks for common causes.",
    zh: { message: "星匣遇到了意外故障。", hint: "详情见数据文件夹的 logs/；starbox doctor 可检查常见原因。" },
  };
}

export function errorHeaders(record: ErrorRecord): Record<string, string> {
  if (record.code === "unauthorized") return { "www-authenticate": "Bearer" };
  if (record.retryAfterSeconds !== undefined) return { "retry-after": String(Math.max(1, Math.ceil(record.retryAfterSeconds))) };
  return record.code === "busy" || record.code === "model_not_ready" ? { "retry-after": "5" } : {};
}

/** `/api`'s shape. */
export function presentError(record: ErrorRecord): { readonly error: ErrorRecord } {
  return { error: { ...record, details: record.details ?? {} } };
}

export const unauthorized = (): StarboxError =>
  new StarboxError("unauthorized", "Nobody is signed in, or the key is not valid.", {
    hint: "Sign in, or send Authorization: Bearer sb-….",
    zh: { message: "尚未登录，或密钥无效。", hint: "请登录，或发送 Authorization: Bearer sb-…。" },
  });

export const forbidden = (): StarboxError =>
  new StarboxError("forbidden", "Only an administrator may do this.", {
    hint: "Ask an administrator of this box.",
    zh: { message: "只有管理员可以这样做。", hint: "请联系本机的管理员。" },
  });

export const noRoute = (method: string, path: string): StarboxError =>
  new StarboxError("not_found", `There is no ${method} ${path}.`, {
    hint: "/api/docs lists every route.",
    zh: { message: `没有 ${method} ${path} 这个接口。`, hint: "全部接口见 /api/docs。" },
  });

export function invalid(message: string, zh: string, details?: Readonly<Record<string, unknown>>): StarboxError {
  return new StarboxError("invalid_input", message, {
    hint: "/api/docs shows what is expected.",
    zh: { message: zh, hint: "所需格式见 /api/docs。" },
    ...(details === undefined ? {} : { details }),
  });
}
