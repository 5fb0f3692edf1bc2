/** @file The wire's errors as the box's own. */
import { fromErrorRecord } from "#base";
import { ClientError } from "#client";

/** Errors of the wire become the box's own. */
export function readableError(error: unknown): unknown {
  return error instanceof ClientError ? fromErrorRecord(error.record) : error;
}
