/** @file The door of `base`: errors, settings, ids, logging. Imports no other room. */
export { type ErrorCode, type ErrorOptions, type ErrorRecord, errorCodes, fromErrorRecord, StarboxError, toErrorRecord } from "./errors.ts";
export { newId } from "./ids.ts";
export { chooseLanguage, type Language } from "./language.ts";
export { createLogger, type Logger, silentLogger } from "./logger.ts";
export { isInsideAddress, type OutboundPlace, outbound } from "./outbound.ts";
export { libraryPath, loadSettings, type Settings, settingsTable } from "./settings.ts";
