/** @file Which kinds of model source answer from this machine. Asked once, before the default model is chosen. */
import { outbound, type Settings } from "#base";
import type { SourceKind } from "./catalogue.ts";
import { pipIndexUrl, splitCredentials } from "./pull/pypi.ts";

type Network = Pick<Settings, "offline" | "sources" | "hfEndpoint" | "modelscopeEndpoint" | "pipIndexUrl">;

export async function findReachableSources(
  settings: Network,
  options: { readonly fetch?: typeof fetch; readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<ReadonlySet<SourceKind>> {
  const found = new Set<SourceKind>(["file"]);
  if (settings.offline) return found;
  const index = splitCredentials(pipIndexUrl(settings.pipIndexUrl));
  // A path that only the real service answers well: a captive portal or a proxy's error page must not count.
  const probes: readonly [SourceKind, string, Readonly<Record<string, string>>][] = [
    ["huggingface", `${settings.hfEndpoint.replace(/\/$/, "")}/Qwen/Qwen3-0.6B-GGUF/resolve/main/README.md`, {}],
    ["modelscope", `${settings.modelscopeEndpoint.replace(/\/$/, "")}/api/v1/models/Qwen/Qwen3-0.6B-GGUF`, {}],
    ["pypi", `${index.url.replace(/\/+$/, "")}/pip/`, index.headers],
  ];
  await Promise.all(
    probes.map(async ([kind, url, headers]) => {
      if (settings.sources.length > 0 && !settings.sources.includes(kind)) return;
      const timeout = AbortSignal.timeout(options.timeoutMs ?? 8_000);
      try {
        const response = await (options.fetch ?? outbound.fetch)(url, {
          method: "HEAD",
          headers,
          signal: options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]),
        });
        if (response.ok) found.add(kind);
      } catch {
        // out of reach is an answer
      }
    }),
  );
  return found;
}
