/** @file Which faults may pass by themselves, and how long to wait before trying again. */
import type { ErrorCode } from "#base";

/** Not the input's fault: a disk that is full now, a model still on its way, an engine that died. */
const passing: ReadonlySet<ErrorCode> = new Set([
  "disk_full",
  "busy",
  "model_not_ready",
  "embedder_not_ready",
  "engine_crashed",
  "engine_failed",
  "model_source_unreachable",
  "upstream_failed",
]);

/** Unknown faults get a second chance: they may be a coincidence, but a poisoned file would fail for ever. */
const attemptsUnknown = 2;
const attemptsPassing = 1000;

export function isPassing(code: ErrorCode, attempts: number): boolean {
  if (passing.has(code)) return attempts < attemptsPassing;
  return code === "internal" && attempts < attemptsUnknown;
}

/** 1 s, 2 s, 4 s … at most a minute. */
export function retryDelayMs(attempts: number): number {
  return Math.min(60_000, 1000 * 2 ** Math.max(0, attempts - 1));
}
