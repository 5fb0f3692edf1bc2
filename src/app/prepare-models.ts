/** @file Gets the default models onto the machine and into memory while the box already serves; tries again when sources were out of reach. */
import { type ErrorRecord, type Logger, toErrorRecord } from "#base";
import type { Models } from "#models";

type Kind = "embedding" | "language";

export type PrepareDeps = {
  readonly models: Models;
  readonly logger: Logger;
  /** Told once for each model that has answered. */
  readonly onAnswered: (kind: Kind, id: string) => void;
  /** Waits before the second try, doubled up to ten minutes. */
  readonly retryMs?: number;
};

/** Returns what went wrong at the first try; never throws. Later tries go on until the signal. */
export async function prepareModels(deps: PrepareDeps, signal: AbortSignal): Promise<readonly ErrorRecord[]> {
  await deps.models.chooseDefaults(signal);
  // The small embedder first: search by meaning is there minutes before answers are.
  const problems: ErrorRecord[] = [];
  for (const kind of ["embedding", "language"] as const) {
    const problem = await prepare(deps, kind, signal);
    if (problem === null) continue;
    problems.push(problem);
    void tryAgain(deps, kind, signal, deps.retryMs ?? 60_000);
  }
  return problems;
}

/** null: it answered, or none is wanted. */
async function prepare({ models, logger, onAnswered }: PrepareDeps, kind: Kind, signal: AbortSignal): Promise<ErrorRecord | null> {
  const id = models.defaults()[kind];
  if (id === null) return null;
  try {
    await models.pull(id);
    await models.waitFor(id, signal);
    if (kind === "embedding") await (await models.embeddingModel(id)).embed(["星"], { kind: "query", signal });
    else await models.warm(id);
    onAnswered(kind, id);
    return null;
  } catch (error) {
    if (signal.aborted) return null;
    const record = toErrorRecord(error);
    logger.error({ kind, code: record.code, reason: record.message }, "a default model is not ready");
    return record;
  }
}

async function tryAgain(deps: PrepareDeps, kind: Kind, signal: AbortSignal, waitMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
  if (signal.aborted || (await prepare(deps, kind, signal)) === null) return;
  await tryAgain(deps, kind, signal, Math.min(waitMs * 2, 600_000));
}
