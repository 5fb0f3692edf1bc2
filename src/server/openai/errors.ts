/** @file Errors in OpenAI's shape: {error: {message, type, param, code}}. */
import type { ErrorRecord } from "#base";
import { StarboxError } from "#base";
import { errorStatus } from "../errors.ts";

/** Clients look for these spellings; every other code keeps ours. */
const openaiCodes: Readonly<Partial<Record<ErrorRecord["code"], string | null>>> = {
  unauthorized: "invalid_api_key",
  context_too_long: "context_length_exceeded",
  invalid_input: null,
};

export type OpenaiError = {
  readonly error: { readonly message: string; readonly type: string; readonly param: string | null; readonly code: string | null };
};

export function presentOpenaiError(record: ErrorRecord): OpenaiError {
  const status: number = errorStatus[record.code];
  const type = status === 429 ? "rate_limit_error" : status >= 500 ? "server_error" : status === 403 ? "permission_error" : "invalid_request_error";
  const param = record.details?.param;
  return {
    error: {
      message: record.hint === undefined ? record.message : `${record.message} ${record.hint}`,
      type,
      param: typeof param === "string" && param !== "" ? param : null,
      code: openaiCodes[record.code] === undefined ? record.code : (openaiCodes[record.code] ?? null),
    },
  };
}

/** A parameter whose meaning cannot be given; saying so beats ignoring it. */
export function unsupported(param: string, message: string, hint: string, zh: string): StarboxError {
  return new StarboxError("unsupported", message, { hint, zh: { message: zh }, details: { param } });
}

export function badParameter(param: string, message: string): StarboxError {
  return new StarboxError("invalid_input", message, { zh: { message: `参数 ${param} 有误：${message}` }, details: { param } });
}
