/** @file What administrators do with keys and quotas, written into the audit log; other rooms write their own lines. */
import type { Actor, AuditSink, KeysService, UsageService } from "#contracts";

/** `refused` and `failed` tries are lines too. */
async function noted<T>(audit: AuditSink, actor: Actor, action: string, work: () => Promise<T>, subjectOf: (result: T | null) => Noted): Promise<T> {
  const write = (outcome: "ok" | "refused" | "failed", result: T | null): void => {
    const { id, kind, details } = subjectOf(result);
    audit.record({ actor, action, subject: id === null ? null : { kind, id }, outcome, ...(details === undefined ? {} : { details }) });
  };
  try {
    const result = await work();
    write("ok", result);
    return result;
  } catch (error) {
    write((error as { code?: string }).code === "forbidden" ? "refused" : "failed", null);
    throw error;
  }
}

type Noted = { readonly kind: string; readonly id: string | null; readonly details?: Readonly<Record<string, string | number | boolean | null>> };

export function auditKeys(keys: KeysService, audit: AuditSink): KeysService {
  return {
    list: (actor) => keys.list(actor),
    create: (actor, input) =>
      noted(
        audit,
        actor,
        "key.create",
        () => keys.create(actor, input),
        (made) => ({ kind: "key", id: made?.id ?? null, details: { access: input.access ?? "write", team: input.teamId ?? null } }),
      ),
    update: (actor, id, patch) =>
      noted(
        audit,
        actor,
        "key.change",
        () => keys.update(actor, id, patch),
        () => ({ kind: "key", id, details: { changed: Object.keys(patch).sort().join(",") } }),
      ),
    rotate: (actor, id, options) =>
      noted(
        audit,
        actor,
        "key.rotate",
        () => keys.rotate(actor, id, options),
        (made) => ({ kind: "key", id, details: { formerUntil: made?.formerUntil ?? null } }),
      ),
    revoke: (actor, id) =>
      noted(
        audit,
        actor,
        "key.revoke",
        () => keys.revoke(actor, id),
        () => ({ kind: "key", id }),
      ),
  };
}

export function auditUsage(usage: UsageService, audit: AuditSink): UsageService {
  return {
    ...usage,
    writeQuota: (actor, quota) =>
      noted(
        audit,
        actor,
        "quota.change",
        () => usage.writeQuota(actor, quota),
        () => {
          const { kind, subject, ...limits } = quota;
          return kind === "person"
            ? { kind: "person", id: subject, details: limits }
            : { kind: "quota", id: kind === "everyone" ? "everyone" : `${kind}:${subject}`, details: limits };
        },
      ),
    async csv(actor, query) {
      audit.record({ actor, action: "usage.export", subject: null, outcome: "ok" });
      return await usage.csv(actor, query);
    },
  };
}
