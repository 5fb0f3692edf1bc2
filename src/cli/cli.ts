/** @file What a command is given: the terminal, a way to the box, settings. The parts that only `app` can build come in here. */
import { loadSettings, type Settings } from "#base";
import type { Actor, BackupInfo, BenchRow, Operators, Services, Training } from "#contracts";
import type { Terminal } from "./terminal.ts";

/** The box in this process, without HTTP. */
export type OpenedBox = { readonly services: Services; close(): Promise<void> };

export type BenchOptions = {
  readonly settings: Settings;
  readonly peers: Readonly<Record<string, string>>;
  readonly note: (english: string, chinese: string) => void;
  readonly signal: AbortSignal;
  /** Full counts instead of the short form. */
  readonly long: boolean;
  /** One of the measurement's cases; absent: all of them. */
  readonly only?: string;
};

export type RestoreRequest = {
  readonly folder: string;
  readonly keyFile: string;
  readonly dataDir: string;
  readonly id: string | null;
  readonly force: boolean;
};
export type RestoreOutcome = BackupInfo & {
  readonly setAside: string | null;
  readonly missingModels: readonly { readonly id: string; readonly source: string }[];
};

export type ServiceFlags = { readonly user: string; readonly port?: number; readonly host?: string; readonly backups?: string };

/** Work on a box from outside it: no data folder is opened, or it must not be in use. */
export type Workshop = {
  listBackups(folder: string, keyFile: string): Promise<readonly BackupInfo[]>;
  restore(request: RestoreRequest): Promise<RestoreOutcome>;
  /** `models` null: those in use. */
  bundle(request: {
    readonly out: string;
    readonly settings: Settings;
    readonly models: readonly string[] | null;
    readonly signal: AbortSignal;
  }): Promise<{
    readonly file: string;
    readonly sizeBytes: number;
    readonly files: number;
    readonly seconds: number;
    readonly models: readonly string[];
  }>;
  renderService(settings: Settings, flags: ServiceFlags): string;
  installService(settings: Settings, flags: ServiceFlags): { readonly unit: string; readonly active: boolean };
  removeService(): void;
  upgrade(file: string, settings: Settings): Promise<{ readonly from: string; readonly to: string; readonly restarted: boolean }>;
  upgradeBack(
    settings: Settings,
  ): Promise<{ readonly version: string | null; readonly copy: { readonly at: string } | null; readonly setAside: string | null }>;
};

export type CliParts = {
  readonly version: string;
  /** Opens the data folder as its owner; throws `data_locked` when somebody else is. */
  openBox(settings: Settings): Promise<OpenedBox>;
  /** Serves until the signal; resolves when everything is closed. */
  serve(settings: Settings, options: { readonly terminal: Terminal; readonly signal: AbortSignal }): Promise<void>;
  workshop(): Promise<Workshop>;
  operators(): Promise<Operators>;
  training(): Promise<Training>;
  readonly benchNames: readonly string[];
  bench(name: string, options: BenchOptions): AsyncIterable<BenchRow>;
};

/** A box, running elsewhere or opened here. */
export type Connection = {
  readonly services: Services;
  readonly actor: Actor;
  /** "alone": this process does the work, and stops it when it ends. */
  readonly where: "box" | "alone";
  close(): Promise<void>;
};

export type Cli = {
  readonly terminal: Terminal;
  readonly settings: Settings;
  readonly parts: CliParts;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** `changes`: settings of this command alone, where it opens the box itself. */
  connect(changes?: Partial<Settings>): Promise<Connection>;
};

/** Runs `work` with a box and closes it, whatever happens. Returns what the command returns: its exit code (nothing: 0). */
export async function withBox<T>(cli: Cli, work: (box: Connection) => Promise<T>, changes?: Partial<Settings>): Promise<T> {
  const box = await cli.connect(changes);
  try {
    return await work(box);
  } finally {
    await box.close();
  }
}

/** Settings from the environment with the global flags on top. */
export function readSettings(flags: { readonly data?: string; readonly lang?: string; readonly port?: number; readonly host?: string }): Settings {
  const overrides: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(flags)) if (value !== undefined) overrides[key] = value;
  return loadSettings(overrides as Partial<Settings>);
}
