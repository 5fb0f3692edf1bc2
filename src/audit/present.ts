/** @file An audit entry as a line for other systems: JSON, or a syslog message of RFC 5424. */
import type { AuditEntry } from "#contracts";

export const presentJsonLine = (entry: AuditEntry): string => JSON.stringify(entry);

const facility = 13; // log audit
const severity = { ok: 6, refused: 4, failed: 4 } as const;

/** PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA BOM MSG. The whole entry is the message, as JSON; its main fields are structured data. */
export function presentSyslog(entry: AuditEntry, hostname: string): string {
  const data: Readonly<Record<string, string>> = {
    seq: String(entry.seq),
    outcome: entry.outcome,
    ...(entry.actor === null ? {} : { actor: entry.actor.personId ?? entry.actor.name, role: entry.actor.role }),
    ...(entry.actor?.address === undefined ? {} : { address: entry.actor.address }),
    ...(entry.subject === null ? {} : { kind: entry.subject.kind, subject: entry.subject.id }),
    hash: entry.hash,
  };
  const parameters = Object.entries(data).map(([name, value]) => ` ${name}="${value.replace(/[\\"\]]/g, (char) => `\\${char}`)}"`);
  const pri = facility * 8 + severity[entry.outcome];
  return `<${pri}>1 ${entry.at} ${printable(hostname, 255)} starbox ${process.pid} ${printable(entry.action, 32)} [audit@32473${parameters.join("")}] \ufeff${JSON.stringify(entry)}`;
}

/** Header fields are printable ASCII without blanks. */
const printable = (text: string, length: number): string => text.replace(/[^\x21-\x7e]/g, "?").slice(0, length) || "-";
