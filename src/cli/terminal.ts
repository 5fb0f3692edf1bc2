/** @file Where a command writes: results to stdout (text, or JSON Lines with --json), everything for people to stderr. Knows no command. */
import { type ErrorRecord, type Language, toErrorRecord } from "#base";

export type Progress = {
  /** `total` null: unknown. The time left is the box's own estimate where it is given, else worked out from the pace. */
  update(done: number, total: number | null, detail?: string, etaSeconds?: number | null): void;
  end(): void;
};

export type Terminal = {
  readonly language: Language;
  readonly json: boolean;
  /** The sentence in the person's language. */
  text(english: string, chinese: string): string;
  /** One result: a JSON line with --json, else `human` (nothing when it is empty). */
  result(value: unknown, human: string): void;
  /** Raw text of a result while it grows; nothing with --json. */
  write(text: string): void;
  note(english: string, chinese: string): void;
  error(error: unknown): void;
  progress(label: string): Progress;
};

/** The part of a process's streams that is used; tests hand in their own. */
export type Streams = {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
};

export function createTerminal(options: {
  readonly language: Language;
  readonly json: boolean;
  readonly streams: Streams;
  readonly now?: () => number;
}): Terminal {
  const { language, json, streams, now = Date.now } = options;
  const chinese = language === "zh";
  const text = (english: string, zh: string): string => (chinese ? zh : english);
  const note = (english: string, zh: string): void => void streams.stderr.write(`${text(english, zh)}\n`);
  return {
    language,
    json,
    text,
    note,
    result(value, human) {
      if (json) streams.stdout.write(`${JSON.stringify(value)}\n`);
      else if (human !== "") streams.stdout.write(human.endsWith("\n") ? human : `${human}\n`);
    },
    write(part) {
      if (!json) streams.stdout.write(part);
    },
    error: (error) => void streams.stderr.write(presentError(toRecord(error), chinese)),
    progress: (label) => createProgress(label, streams.stderr, now),
  };
}

/** Errors of the HTTP client carry their record; all others become one. */
function toRecord(error: unknown): ErrorRecord {
  if (error instanceof Error && "record" in error) return error.record as ErrorRecord;
  return toErrorRecord(error);
}

function presentError(record: ErrorRecord, chinese: boolean): string {
  const message = (chinese ? record.zh?.message : undefined) ?? record.message;
  const hint = (chinese ? (record.zh?.hint ?? record.hint) : record.hint) ?? "";
  const retry =
    record.retryAfterSeconds === undefined
      ? ""
      : chinese
        ? `\n请在 ${record.retryAfterSeconds} 秒后重试。`
        : `\nTry again in ${record.retryAfterSeconds} s.`;
  return `${chinese ? "错误" : "error"} ${record.code}${chinese ? "：" : ": "}${message}${hint === "" ? "" : `\n${chinese ? "建议：" : "hint: "}${hint}`}${retry}\n`;
}

/** A bar that redraws itself on a terminal; elsewhere a line every ten seconds, so that logs stay short. */
function createProgress(label: string, stream: Streams["stderr"], now: () => number): Progress {
  const started = now();
  // Off a terminal short work says nothing.
  let drawnAt = stream.isTTY === true ? 0 : started;
  let drawn = false;
  const line = (done: number, total: number | null, detail: string, eta: number | null | undefined): string => {
    if (total === null || total <= 0) return `${label} ${detail}`;
    const share = Math.min(1, done / total);
    const seconds = (now() - started) / 1000;
    const paced = share > 0.01 && share < 1 && seconds > 2 ? (seconds / share) * (1 - share) : null;
    const left = (eta ?? paced) === null ? "" : ` · ${duration((eta ?? paced)!)}`;
    return `${label} ${"█".repeat(Math.round(share * 24)).padEnd(24, "░")} ${Math.floor(share * 100)}%${detail === "" ? "" : ` ${detail}`}${left}`;
  };
  return {
    update(done, total, detail = "", eta) {
      const time = now();
      if (time - drawnAt < (stream.isTTY === true ? 100 : 10_000)) return;
      drawnAt = time;
      drawn = true;
      const shown = line(done, total, detail, eta);
      stream.write(stream.isTTY === true ? `\r${shown.slice(0, (stream.columns ?? 100) - 1)}\u001b[K` : `${shown}\n`);
    },
    end() {
      if (drawn && stream.isTTY === true) stream.write("\r\u001b[K");
    },
  };
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function size(bytes: number | null): string {
  if (bytes === null) return "?";
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  if (bytes < 1e9) return `${Math.round(bytes / 1e6)} MB`;
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

/** Columns padded to the widest cell; Chinese characters are two columns wide. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, columns(cell));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell + " ".repeat((widths[column] ?? 0) - columns(cell) + 2))).join(""),
    )
    .join("\n");
}

function columns(text: string): number {
  let width = 0;
  for (const character of text)
    width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/.test(character) ? 2 : 1;
  return width;
}
