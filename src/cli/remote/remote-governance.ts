/** @file Keys, usage and the audit log of a running box over HTTP. */
import type { Client } from "#client";
import type { AuditService, KeysService, PrivacyService, UsageService } from "#contracts";
import { readableError } from "./readable-error.ts";

export const remoteKeys = ({ keys }: Client): KeysService => ({
  list: () => keys.list(),
  create: (_actor, input) => keys.create(input),
  update: (_actor, id, patch) => keys.update(id, patch),
  rotate: (_actor, id, options) => keys.rotate(id, options),
  revoke: (_actor, id) => keys.revoke(id),
});

export const remoteUsage = ({ usage }: Client): UsageService => ({
  sum: (_actor, query) => usage.sum(query),
  csv: (_actor, query) => usage.csv(query),
  listQuotas: () => usage.listQuotas(),
  writeQuota: (_actor, quota) => usage.writeQuota(quota),
});

export const remoteAudit = ({ audit }: Client): AuditService => ({
  list: (_actor, query) => audit.list(query),
  verify: () => audit.verify(),
  status: () => audit.status(),
  export: (_actor, format, query) => responseLines(audit.export(format, query)),
});

export const remotePrivacy = ({ privacy }: Client): PrivacyService => ({
  readMasks: () => privacy.readMasks(),
  writeMasks: (_actor, policy) => privacy.writeMasks(policy),
  tryMasks: (_actor, text) => privacy.tryMasks(text),
  maskHistory: () => privacy.maskHistory(),
  readRetention: () => privacy.readRetention(),
  writeRetention: (_actor, policy) => privacy.writeRetention(policy),
  runRetention: () => privacy.runRetention(),
  listHolds: () => privacy.listHolds(),
  addHold: (_actor, hold) => privacy.addHold(hold),
  releaseHold: (_actor, id) => privacy.releaseHold(id),
  exportPerson: (_actor, person) => responseLines(privacy.exportPerson(person)),
  erasePerson: (_actor, person) => privacy.erasePerson(person),
  listErasures: () => privacy.listErasures(),
});

/** Lines as they arrive. */
async function* responseLines(answer: Promise<Response>): AsyncIterable<string> {
  try {
    const body = (await answer).body;
    if (body === null) return;
    let rest = "";
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
    if (rest !== "") yield rest;
  } catch (error) {
    throw readableError(error);
  }
}
