/**
 * @file How mature an operator is on a device: computed from what was verified and measured with this very build on this machine, never typed in.
 * none: no kernel. experimental: nothing verified with this build, or something failed. works: forward holds, its gradient was not (or could not be) verified.
 * verified: forward and, where the operator has one, gradient hold. tuned: verified, and every case measured reaches `tunedShare` of the limit of that run.
 */
import fs from "node:fs";
import path from "node:path";

export type Maturity = "none" | "experimental" | "works" | "verified" | "tuned";
export const tunedShare = 0.6;

export type VerifyRecord = {
  readonly kind: "verify";
  readonly op: string;
  readonly device: string;
  readonly forward: { readonly held: number; readonly failed: number };
  readonly backward: { readonly held: number; readonly failed: number };
  /** Samples that the device refuses. */
  readonly refused: number;
  /** Comparisons that differ by the device's own design. */
  readonly known?: number;
  /** The emulator it ran under: right, but nothing is known of its speed. */
  readonly emulator?: string;
} & Circumstances;
export type BenchRecord = {
  readonly kind: "bench";
  readonly op: string;
  readonly device: string;
  readonly case: string;
  readonly shareOfLimit: number;
  readonly ratio: Readonly<Record<string, number>>;
} & Circumstances;
type Circumstances = {
  /** What ran: the library's hash and instruction set. */
  readonly build: string;
  readonly machine: string;
  readonly commit: string;
  readonly at: string;
};
export type OperatorRecord = VerifyRecord | BenchRecord;

const keyOf = (record: OperatorRecord): string =>
  [record.kind, record.device, record.op, record.kind === "bench" ? record.case : "", record.build, record.machine].join("\t");

/** Results of `ops verify` and `ops bench` in the data folder; of the same thing the latest counts. */
export class OperatorRecords {
  readonly #file: string;
  readonly #records = new Map<string, OperatorRecord>();

  /** Reads what is there; a file that cannot be read counts as none, since everything in it can be measured again. */
  constructor(dataFolder: string) {
    this.#file = path.join(dataFolder, "operators", "results.jsonl");
    let text = "";
    try {
      text = fs.readFileSync(this.#file, "utf8");
    } catch {
      return;
    }
    for (const line of text.split("\n")) {
      try {
        const record = JSON.parse(line) as OperatorRecord;
        if (record.kind === "verify" || record.kind === "bench") this.#records.set(keyOf(record), record);
      } catch {
        // A line cut short by a full disk or a kill.
      }
    }
  }

  get all(): readonly OperatorRecord[] {
    return [...this.#records.values()];
  }

  /** Whole or not at all: written beside and renamed. */
  add(records: readonly OperatorRecord[]): void {
    for (const record of records) this.#records.set(keyOf(record), record);
    fs.mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    const draft = `${this.#file}.${process.pid}`;
    fs.writeFileSync(draft, [...this.#records.values()].map((record) => `${JSON.stringify(record)}\n`).join(""), { mode: 0o600 });
    fs.renameSync(draft, this.#file);
  }
}

export type MaturityQuestion = {
  readonly op: string;
  readonly device: string;
  readonly kernel: boolean;
  readonly gradient: boolean;
  readonly build: string;
  readonly machine: string;
};

export function maturityOf(question: MaturityQuestion, records: readonly OperatorRecord[]): { readonly level: Maturity; readonly why: string } {
  const { op, device, kernel, gradient, build, machine } = question;
  if (!kernel) return { level: "none", why: "no kernel" };
  const mine = records.filter((one) => one.op === op && one.device === device && one.build === build && one.machine === machine);
  const verified = mine.find((one) => one.kind === "verify");
  if (verified === undefined) return { level: "experimental", why: "not verified with this build on this machine" };
  const { forward, backward, refused, known = 0, emulator, commit } = verified;
  const failed = forward.failed + backward.failed;
  if (failed > 0 || forward.held + backward.held === 0)
    return { level: "experimental", why: failed > 0 ? `${failed} checks failed (${commit})` : `every sample was refused (${commit})` };
  const differ = known > 0 ? `, ${known} differ by the device's design` : "";
  const counted = `${emulator === undefined ? "" : `verified under emulation, not timed (${emulator}): `}${forward.held} forward, ${backward.held} backward checks hold${differ}, ${refused} refused (${commit})`;
  if (gradient && backward.held === 0) return { level: "works", why: counted };
  const benches = mine.filter((one) => one.kind === "bench");
  const least = Math.min(...benches.map(({ shareOfLimit }) => shareOfLimit));
  if (benches.length === 0) return { level: "verified", why: counted };
  const speed = `${(least * 100).toFixed(0)} % of the limit in the slowest of ${benches.length} measured cases`;
  return { level: least >= tunedShare && benches.every(({ shareOfLimit }) => shareOfLimit <= 1) ? "tuned" : "verified", why: `${counted}; ${speed}` };
}

type CheckRow = {
  readonly op: string;
  readonly device: string;
  readonly pass: string;
  readonly ok: boolean;
  readonly value: number | null;
  readonly known?: true;
};

/** One record an operator from the rows of its verification. */
export function recordOf(op: string, device: string, rows: readonly CheckRow[], circumstances: Circumstances): VerifyRecord {
  const count = (pass: string) => {
    const run = rows.filter((row) => row.pass === pass && row.value !== null && !row.known);
    return { held: run.filter(({ ok }) => ok).length, failed: run.filter(({ ok }) => !ok).length };
  };
  const known = rows.filter((row) => row.known).length;
  return {
    kind: "verify",
    op,
    device,
    forward: count("fwd"),
    backward: count("bwd"),
    refused: rows.filter(({ value }) => value === null).length,
    ...(known > 0 ? { known } : {}),
    ...circumstances,
  };
}
