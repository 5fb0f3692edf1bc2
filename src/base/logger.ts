/** @file One logger. Never the contents of documents or questions: ids and counts only. */
import pino from "pino";

export type Logger = {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
};

/** JSON Lines to a file (synchronous, so that the last words before a crash are kept) or to stderr. */
export function createLogger(options: { readonly level: string; readonly file?: string }): Logger {
  const destination = pino.destination(options.file === undefined ? { dest: 2, sync: true } : { dest: options.file, sync: true, mkdir: true });
  return pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
