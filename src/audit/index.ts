/** @file The door of `audit`: the log of who did what, whole or visibly not. */
export { type AuditLog, type AuditLogOptions, openAuditLog } from "./log.ts";
export { createSyslogForwarder, parseSyslogTarget, type SyslogForwarder, type SyslogTarget } from "./syslog.ts";
