/** @file The audit log at work: takes events, seals them, shows them, lets go of old ones and of persons. */
import { StarboxError } from "#base";
import type { Actor, AuditActor, AuditEntry, AuditEvent, AuditQuery, AuditService, AuditSink, AuditStatus } from "#contracts";
import type { AuditPart, AuditRepository, AuditRow } from "#storage";
import { createPart, digestPart, hashRow, presentRanges } from "./chain.ts";
import { presentJsonLine, presentSyslog } from "./present.ts";
import { freshHead, type Head, openSeals, type Seals } from "./seal.ts";
import { verifyLog } from "./verify.ts";

export type AuditLog = AuditSink & {
  readonly service: AuditService;
  /** Called after every row. */
  onAppend(listener: () => void): () => void;
  /** Entries after a row, oldest first: for what passes them on. */
  entriesAfter(seq: number): Iterable<AuditEntry>;
  /** By or about a person, oldest first. */
  entriesOf(personId: string): Iterable<AuditEntry>;
  lastSeq(): number;
  /** Takes a person out of every row's personal part; the chain stays whole. Returns how many rows. */
  erasePerson(personId: string, words: readonly string[], by: Actor): number;
  /** Rows before a moment go; the signed head keeps where the log now begins. */
  pruneBefore(at: string, by: Actor): number;
  close(): void;
};

export type AuditLogOptions = {
  readonly store: AuditRepository;
  readonly dataDir: string;
  readonly hostname: string;
  readonly now?: () => number;
  readonly syslogStatus?: () => AuditStatus["syslog"];
};

const boxItself: Actor = { personId: null, name: "box", role: "operator" };
/** Words about a person that other rooms may put among the details. */
const personalDetails = ["email", "name", "address", "account"];
/** Frequent, and lost at most by a power cut within a second: these do not wait for the disk each time. */
const reading = /\.(read|search|ask|open|list|view|download|original)$/;
const flushMs = 1000;

export function openAuditLog({ store, dataDir, hostname, now = Date.now, syslogStatus = () => null }: AuditLogOptions): AuditLog {
  const seals = openSeals(dataDir);
  const listeners = new Set<() => void>();
  const { head: found, problem } = findHead(store, seals);
  let head = found;
  /** Rows the signed head does not name yet. */
  let isBehind = false;
  let timer: NodeJS.Timeout | undefined;
  const keepHead = (): void => {
    clearTimeout(timer);
    timer = undefined;
    isBehind = false;
    seals.writeHead(head);
  };
  /** A row written inside somebody's transaction went with it if that was undone. */
  const settle = (): void => {
    if (!isBehind || store.isOpen()) return;
    const last = store.last();
    if (last !== undefined && last.seq < head.seq) head = { ...head, seq: last.seq, hash: last.hash };
    else if (last === undefined) head = { ...head, seq: head.baseSeq, hash: head.baseHash };
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (store.isOpen()) later();
    else {
      settle();
      store.flush();
      keepHead();
    }
  };
  const later = (): void => {
    isBehind = true;
    timer ??= setTimeout(flush, flushMs);
  };
  const record = (event: AuditEvent): void => {
    settle();
    const seq = head.seq + 1;
    const isNested = store.isOpen();
    const isRelaxed = reading.test(event.action);
    const { row, parts } = sealEvent(seals, { ...event, at: event.at ?? new Date(now()).toISOString() }, seq, head.hash);
    store.append(row, parts, { durable: !isRelaxed });
    head = { ...head, seq, hash: row.hash };
    if (isNested || isRelaxed) later();
    else keepHead();
    for (const listener of listeners) listener();
  };
  const note = (action: string, actor: Actor, details: NonNullable<AuditEvent["details"]>): void =>
    record({ actor, action, subject: null, outcome: "ok", details });
  if (head.seq > 0 || problem !== null) seals.writeHead(head);
  if (head.baseSeq > 0) store.prune(head.baseSeq);
  if (problem !== null) note("audit.broken", boxItself, { found: problem });

  function* entriesAfter(seq: number, until = Number.POSITIVE_INFINITY): Generator<AuditEntry> {
    for (const row of store.from(seq)) {
      if (row.seq > until) return;
      yield presentEntry(row, store.parts(row.seq));
    }
  }

  return {
    record,
    entriesAfter: (seq) => entriesAfter(seq),
    *entriesOf(personId) {
      for (const entry of entriesAfter(0)) if (matches(entry, { personId })) yield entry;
    },
    lastSeq: () => head.seq,
    onAppend(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    erasePerson(personId, words, by) {
      const rows = store.erasePerson(personId, words);
      if (rows.length > 0) note("audit.erase", by, { rows: presentRanges(rows), count: rows.length });
      return rows.length;
    },
    pruneBefore(at, by) {
      const last = store.lastBefore(at);
      // The newest row stays: the chain goes on from it.
      if (last === undefined || last.seq >= head.seq) return 0;
      note("audit.prune", by, { to: last.seq, before: at });
      // The head first: what a kill leaves below the base goes when the log is next opened.
      head = { ...head, baseSeq: last.seq, baseHash: last.hash };
      keepHead();
      return store.prune(last.seq);
    },
    service: createService({ store, seals, hostname, syslogStatus, entriesAfter, lastSeq: () => head.seq }),
    close() {
      if (isBehind) flush();
      clearTimeout(timer);
    },
  };
}

function createService(parts: {
  readonly store: AuditRepository;
  readonly seals: Seals;
  readonly hostname: string;
  readonly syslogStatus: NonNullable<AuditLogOptions["syslogStatus"]>;
  readonly entriesAfter: (seq: number, until?: number) => Iterable<AuditEntry>;
  readonly lastSeq: () => number;
}): AuditService {
  const { store, seals } = parts;
  return {
    async list(actor, { before, limit = 100, ...query }) {
      needAdministrator(actor);
      const rows = store.list(query, before ?? null, Math.min(limit, 1000));
      return {
        items: rows.map((row) => presentEntry(row, store.parts(row.seq))),
        nextBefore: rows.length < Math.min(limit, 1000) ? null : (rows.at(-1)?.seq ?? null),
      };
    },
    async verify(actor) {
      needAdministrator(actor);
      return await verifyLog(store, seals);
    },
    async status(actor) {
      needAdministrator(actor);
      return { rows: store.count(), fingerprint: seals.fingerprint, syslog: parts.syslogStatus() };
    },
    async *export(actor, format, query = {}) {
      needAdministrator(actor);
      for (const entry of parts.entriesAfter(0, parts.lastSeq())) {
        if (!matches(entry, query)) continue;
        yield format === "jsonl" ? presentJsonLine(entry) : presentSyslog(entry, parts.hostname);
      }
    },
  };
}

/** Where the next row follows. What a kill left between a row and its head is taken up; anything else that does not fit is told. */
function findHead(store: AuditRepository, seals: Seals): { readonly head: Head; readonly problem: string | null } {
  const read = seals.readHead();
  const last = store.last();
  if (typeof read !== "object") {
    if (last === undefined) return { head: freshHead, problem: read === "broken" ? "the signed head is not this box's" : null };
    return { head: { ...freshHead, seq: last.seq, hash: last.hash }, problem: `the signed head is ${read}` };
  }
  if ((last?.seq ?? read.baseSeq) < read.seq) return { head: read, problem: `rows ${(last?.seq ?? read.baseSeq) + 1} to ${read.seq} are missing` };
  if (read.seq > read.baseSeq && store.read(read.seq)?.hash !== read.hash)
    return { head: read, problem: `row ${read.seq} is not the one the head names` };
  let head = read;
  for (const row of store.from(read.seq)) {
    if (row.seq !== head.seq + 1 || row.prev !== head.hash || hashRow(row) !== row.hash || !seals.isSealed(row))
      return { head: { ...head, seq: last?.seq ?? head.seq }, problem: `row ${row.seq} was added by somebody else` };
    head = { ...head, seq: row.seq, hash: row.hash };
  }
  return { head, problem: null };
}

type TimedEvent = AuditEvent & { readonly at: string };

function sealEvent(seals: Seals, event: TimedEvent, seq: number, prev: string): { readonly row: AuditRow; readonly parts: readonly AuditPart[] } {
  const { details = {}, subject } = event;
  const isPerson = subject?.kind === "person";
  const words = Object.entries(details).filter(([key]) => personalDetails.includes(key));
  const open = Object.fromEntries(Object.entries(details).filter(([key]) => !personalDetails.includes(key)));
  const actorPart = createPart(seq, "actor", event.actor?.personId ?? null, presentActor(event));
  const personPart =
    isPerson || words.length > 0
      ? createPart(seq, "person", isPerson ? subject.id : null, { ...(isPerson ? { id: subject.id } : {}), ...Object.fromEntries(words) })
      : null;
  const unsealed = {
    seq,
    at: event.at,
    action: event.action,
    outcome: event.outcome,
    kind: subject?.kind ?? "",
    subject: isPerson ? "" : (subject?.id ?? ""),
    details: JSON.stringify(subject?.kbId === undefined ? open : { ...open, kbId: subject.kbId }),
    actor: digestPart(actorPart),
    person: personPart === null ? "" : digestPart(personPart),
    prev,
  };
  const hash = hashRow(unsealed);
  return { row: { ...unsealed, hash, seal: seals.sealRow(seq, hash) }, parts: personPart === null ? [actorPart] : [actorPart, personPart] };
}

function presentActor({ actor, address }: AuditEvent): AuditActor {
  return {
    personId: actor?.personId ?? null,
    name: actor?.name ?? "",
    role: actor?.role ?? "nobody",
    ...(actor?.key === undefined ? {} : { keyId: actor.key.id }),
    ...(actor?.teamId === undefined ? {} : { teamId: actor.teamId }),
    ...(actor?.viewedBy === undefined ? {} : { viewedBy: actor.viewedBy }),
    ...(address === undefined ? {} : { address }),
  };
}

function presentEntry(row: AuditRow, parts: readonly AuditPart[]): AuditEntry {
  const part = (name: AuditPart["part"]): unknown => {
    const found = parts.find((item) => item.part === name);
    return found === undefined ? null : JSON.parse(found.data);
  };
  const { kbId, ...details } = JSON.parse(row.details) as Record<string, string | number | boolean | null>;
  const { id, ...words } = (part("person") ?? {}) as { id?: string };
  const subject = row.kind === "" ? null : { kind: row.kind, id: row.kind === "person" ? (id ?? "erased") : row.subject };
  return {
    seq: row.seq,
    at: row.at,
    action: row.action,
    outcome: row.outcome as AuditEntry["outcome"],
    subject: subject === null ? null : { ...subject, ...(typeof kbId === "string" ? { kbId } : {}) },
    details: { ...details, ...words },
    actor: part("actor") as AuditEntry["actor"],
    hash: row.hash,
    prev: row.prev,
  };
}

function matches(entry: AuditEntry, query: AuditQuery): boolean {
  return (
    entry.action.startsWith(query.action ?? "") &&
    (query.outcome === undefined || entry.outcome === query.outcome) &&
    (query.from === undefined || entry.at >= query.from) &&
    (query.to === undefined || entry.at <= query.to) &&
    (query.subject === undefined || entry.subject?.id === query.subject) &&
    (query.personId === undefined ||
      entry.actor?.personId === query.personId ||
      (entry.subject?.kind === "person" && entry.subject.id === query.personId))
  );
}

function needAdministrator(actor: Actor): void {
  if (actor.role === "operator" || (actor.role === "administrator" && (actor.key?.bases ?? null) === null)) return;
  throw new StarboxError("forbidden", "Only an administrator may read the audit log.", {
    hint: "Ask an administrator of this box.",
    zh: { message: "只有管理员可以查看审计日志。", hint: "请联系本机的管理员。" },
  });
}
