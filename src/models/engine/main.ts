/** @file The engine process: one model, one parent. Loads what it is told, works on calls, ends when the box ends. */
import os from "node:os";
import { outbound, StarboxError, toErrorRecord } from "#base";
import type { OwnEngine } from "#infer";
import type { Embedder } from "./batch-embedder.ts";
import type { LanguageEngine } from "./language-engine.ts";
import type { EngineCall, EngineInfo, EngineLoad, FromEngine, ToEngine } from "./protocol.ts";
import type { RankEngine } from "./rank-engine.ts";

type Loaded = {
  readonly language?: LanguageEngine | OwnEngine;
  readonly embedder?: Embedder;
  readonly ranker?: RankEngine;
  readonly info: EngineInfo;
};

const send = (message: FromEngine): void => {
  if (process.connected) process.send?.(message);
};
const running = new Map<number, AbortController>();
let loaded: Loaded | null = null;
outbound.guard(); // an engine has nobody to talk to but its parent
outbound.seal();

async function load(options: EngineLoad): Promise<Loaded> {
  if (options.nice !== 0) os.setPriority(options.nice); // before any library starts threads: they inherit it
  if (options.kind === "language" && options.engine === "own") {
    const [{ OwnEngine }, { CpuDevice, ensureNative }] = await Promise.all([import("#infer"), import("#compute")]);
    const device = new CpuDevice({
      library: await ensureNative(),
      threads: options.threads > 0 ? options.threads : os.availableParallelism(),
      ...(options.packCache === null ? {} : { packCache: options.packCache }),
    });
    const language = await OwnEngine.load({ file: options.filePath, device, contextTokens: options.contextTokens, parallel: options.parallel });
    return { language, info: language.info };
  }
  if (options.kind === "language") {
    const { LanguageEngine } = await import("./language-engine.ts");
    const language = await LanguageEngine.load(options);
    return { language, info: language.info };
  }
  if (options.kind === "reranker") {
    const { RankEngine } = await import("./rank-engine.ts");
    const ranker = await RankEngine.load(options);
    return { ranker, info: ranker.info };
  }
  const { loadBatchEmbedder } = await import("./batch-embedder.ts");
  const { loadSingleEmbedder } = await import("./single-embedder.ts");
  // One thread: two that wait for each other in every layer lose more than they win on short texts, above all on a busy machine.
  const batch =
    options.gpu === false
      ? await loadBatchEmbedder(options.filePath, { threads: options.threads > 0 ? options.threads : 1, prefixed: options.prefixed })
      : null;
  const embedder = batch ?? (await loadSingleEmbedder(options));
  return {
    embedder,
    info: {
      contextTokens: embedder.maxTokens,
      dimensions: embedder.dimensions,
      maxTokens: embedder.maxTokens,
      device: batch === null ? "node-llama-cpp" : "cpu",
    },
  };
}

function wrongKind(call: EngineCall): StarboxError {
  return new StarboxError("invalid_input", `This model cannot do "${call.type}".`, {
    hint: "Choose a model of the right kind: starbox models list.",
    zh: { message: "该模型不支持此操作。", hint: "请用 starbox models list 选择合适的模型。" },
  });
}

async function answer(id: number, call: EngineCall, signal: AbortSignal): Promise<unknown> {
  if (loaded === null) throw new StarboxError("model_not_ready", "The engine has no model yet.");
  const { language, embedder, ranker } = loaded;
  if (call.type === "generate" && language !== undefined) return language.generate(call.request, signal, (part) => send({ type: "part", id, part }));
  if (call.type === "score" && language !== undefined) return language.score(call.input, call.continuations, signal);
  if (call.type === "totals" && language !== undefined) return language.totals();
  if (call.type === "count" && language !== undefined) return language.countTokens(call.texts);
  if (call.type === "count" && embedder !== undefined) return embedder.countTokens(call.texts);
  if (call.type === "embed" && embedder !== undefined) return embedder.embed(call.texts, call.kind, signal);
  if (call.type === "rank" && ranker !== undefined) return ranker.rank(call.query, call.passages, signal);
  throw wrongKind(call);
}

async function run(id: number, call: EngineCall): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    send({ type: "done", id, result: await answer(id, call, controller.signal) });
  } catch (error) {
    const cancelled =
      controller.signal.aborted && !StarboxError.is(error, "cancelled")
        ? new StarboxError("cancelled", "The request was cancelled.", { zh: { message: "请求已取消。" } })
        : error;
    send({
      type: "error",
      id,
      error: toErrorRecord(
        StarboxError.is(cancelled)
          ? cancelled
          : new StarboxError("engine_failed", cancelled instanceof Error ? cancelled.message : String(cancelled)),
      ),
    });
  } finally {
    running.delete(id);
  }
}

process.on("message", (message: ToEngine) => {
  if (message.type === "call") void run(message.id, message.call);
  else if (message.type === "cancel") running.get(message.id)?.abort();
  else {
    load(message).then(
      (result) => {
        loaded = result;
        send({ type: "loaded", info: result.info });
      },
      (error: unknown) => {
        send({
          type: "load-failed",
          error: toErrorRecord(
            StarboxError.is(error)
              ? error
              : new StarboxError("model_invalid", `The engine cannot load this model: ${error instanceof Error ? error.message : String(error)}`, {
                  hint: "starbox models verify ID checks the file.",
                }),
          ),
        });
      },
    );
  }
});
// The box is gone (even by kill -9): nobody is left to work for.
// The box is gone. An orderly exit would wait for native threads that may be in the middle of a step, for ever; there is nothing here to save.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the box decides when its engines end
