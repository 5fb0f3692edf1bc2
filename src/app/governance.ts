/** @file What keeps a box accountable: the audit log with its way out, keys, the meter, usage. Joined here, handed to the services. */
import os from "node:os";
import { createSyslogForwarder, openAuditLog, parseSyslogTarget } from "#audit";
import { type Logger, outbound, type Settings } from "#base";
import type { Services } from "#contracts";
import { createMeter, createUsageService, type UsageNames } from "#metering";
import { createKeysService } from "#platform";
import type { Storage } from "#storage";
import { auditKeys, auditUsage } from "./audited.ts";

const syslogCursor = "audit.syslog";

export function openGovernance(parts: {
  readonly storage: Storage;
  readonly settings: Pick<Settings, "data" | "syslog">;
  readonly serving: boolean;
  readonly keyEnded: (keyId: string) => void;
  readonly logger: Logger;
  readonly now: () => number;
}) {
  const { storage, settings, logger, now } = parts;
  const target = settings.syslog === "" ? null : parseSyslogTarget(settings.syslog);
  const hostname = os.hostname();
  const audit = openAuditLog({ store: storage.audit, dataDir: settings.data, hostname, now, syslogStatus: () => forwarder?.status() ?? null });
  const forwarder =
    target === null
      ? null
      : createSyslogForwarder({
          log: audit,
          target,
          hostname,
          cursor: {
            read: () => Number(storage.settings.read(syslogCursor) ?? 0),
            write: (seq) => void storage.transactionRelaxed(() => storage.settings.write(syslogCursor, String(seq))),
          },
          lastSeq: audit.lastSeq,
          logger,
        });
  if (target !== null) outbound.allow(`${target.host}:${target.port}`, "STARBOX_SYSLOG");
  // A command that works alone leaves the passing on to the box that serves next.
  if (parts.serving) forwarder?.start();
  const names: UsageNames = {
    person: (id) => storage.people.keys.ownerName("person", id),
    team: (id) => storage.people.keys.ownerName("team", id),
    // A chat page asks like a key of its own: it has usage, and may have a quota.
    key: (id) => (id.startsWith("page:") ? storage.pages.find(id.slice(5))?.name : storage.people.keys.read(id)?.name) ?? null,
  };
  const services: Pick<Services, "keys" | "usage" | "audit" | "meter"> = {
    keys: auditKeys(createKeysService(storage.people.keys, now, parts.keyEnded), audit),
    usage: auditUsage(createUsageService({ store: storage.usage, names, now }), audit),
    audit: audit.service,
    meter: createMeter({ store: storage.usage, teamsOf: storage.people.teams.reach, now }),
  };
  return {
    audit,
    services,
    async close(): Promise<void> {
      await forwarder?.close();
      audit.close();
    },
  };
}
