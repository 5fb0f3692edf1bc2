/** @file Whether the audit log is whole: every changed, missing, added or reordered row is found and named, the last ones too. */
import type { AuditVerdict } from "#contracts";
import type { AuditPart, AuditRow } from "#storage";
import { digestPart, hashRow, parseRanges } from "./chain.ts";
import type { Head, Seals } from "./seal.ts";

type Problem = AuditVerdict["problems"][number];
export type AuditReader = { from(seq: number): Iterable<AuditRow>; parts(seq: number): readonly AuditPart[] };

/** Enough to act on; the count says how many there are in all. */
const mostProblems = 1000;
/** The chain carries a signature back to every row before it, so a whole log needs few of them looked at; a broken one is read again with all. */
const sealEvery = 256;

export async function verifyLog(store: AuditReader, seals: Seals): Promise<AuditVerdict> {
  const quick = await walkLog(store, seals, false);
  return quick.ok ? quick : await walkLog(store, seals, true);
}

async function walkLog(store: AuditReader, seals: Seals, everySeal: boolean): Promise<AuditVerdict> {
  const head = seals.readHead();
  const known = typeof head === "object" ? head : null;
  const problems: Problem[] = [];
  let count = 0;
  const report = (kind: Problem["kind"], from: number, to = from): void => {
    count++;
    if (problems.length < mostProblems) problems.push({ kind, from, to });
  };
  const mustSeal = (row: AuditRow): boolean => everySeal || row.seq % sealEvery === 0 || row.seq >= (known?.seq ?? 0);
  const walked = await walkRows(store, known, (row) => !mustSeal(row) || seals.isSealed(row), report);
  if (head === "broken" || (head === "missing" && walked.rows > 0)) report("head", 0);
  if (known !== null && known.seq > walked.last) report("missing", walked.last + 1, known.seq);
  return {
    ok: count === 0,
    rows: walked.rows,
    from: walked.first,
    to: walked.last,
    problemCount: count,
    problems,
    fingerprint: seals.fingerprint,
    checkedAt: new Date().toISOString(),
  };
}

type Report = (kind: Problem["kind"], from: number, to?: number) => void;

async function walkRows(store: AuditReader, head: Head | null, isSealed: (row: AuditRow) => boolean, report: Report) {
  let prev: string | null = head?.baseHash ?? null;
  let rows = 0;
  let first = 0;
  let last = head?.baseSeq ?? 0;
  const withoutPart: number[] = [];
  const erased: (readonly [number, number])[] = [];
  for (const row of store.from(0)) {
    // Without a head nobody knows where the log began.
    if (rows === 0 && head === null) last = row.seq - 1;
    if (rows++ === 0) first = row.seq;
    // Others are served meanwhile; rows they add are sealed and follow the head that was read.
    if (rows % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    // Let go by retention, not yet gone.
    if (row.seq <= (head?.baseSeq ?? 0)) continue;
    if (row.seq > last + 1) {
      report("missing", last + 1, row.seq - 1);
      prev = null;
    }
    const isHead = head !== null && row.seq === head.seq;
    const changed = hashRow(row) !== row.hash || (isHead && head.hash !== row.hash) || !isSealed(row) || (prev !== null && row.prev !== prev);
    if (changed) report(head !== null && row.seq > head.seq ? "added" : "changed", row.seq);
    else {
      withoutPart.push(...checkParts(store, row, report));
      if (row.action === "audit.erase") erased.push(...parseRanges(String((JSON.parse(row.details) as { rows?: unknown }).rows ?? "")));
    }
    // What follows a changed row cannot be held against it.
    prev = changed ? null : row.hash;
    last = row.seq;
  }
  for (const seq of withoutPart) if (!erased.some(([from, to]) => seq >= from && seq <= to)) report("personal-part-missing", seq);
  return { rows, first, last };
}

/** Rows whose personal part is gone; a part that is there must be the one the row was sealed with. */
function checkParts(store: AuditReader, row: AuditRow, report: Report): readonly number[] {
  const parts = store.parts(row.seq);
  let isMissing = false;
  for (const name of ["actor", "person"] as const) {
    const part = parts.find((item) => item.part === name);
    if (part === undefined) isMissing ||= row[name] !== "";
    else if (digestPart(part) !== row[name]) report("personal-part-changed", row.seq);
  }
  return isMissing ? [row.seq] : [];
}
