/** @file Asks llama.cpp, in a process of its own, for the values of every layer and all logits of given tokens: the other implementation in `ops verify --model`. */
import { fork } from "node:child_process";
import path from "node:path";
import { StarboxError } from "#base";
import type { LlamaRequest, LlamaTexts, LlamaValues } from "./engine/llama-values.ts";

const fromSource = import.meta.filename.endsWith(".ts");

/** Throws `unsupported` where llama.cpp's library cannot be called directly, `engine_failed` with its words otherwise. */
export const computeWithLlama = (request: LlamaRequest, signal: AbortSignal): Promise<LlamaValues> => askLlama<LlamaValues>(request, signal);

/** Logits of the chosen rows of each text, [rows, vocabulary]. Throws as computeWithLlama does. */
export const logitsWithLlama = (request: LlamaTexts, signal: AbortSignal): Promise<readonly Float32Array[]> => askLlama(request, signal);

function askLlama<T>(request: LlamaRequest | LlamaTexts, signal: AbortSignal): Promise<T> {
  const entry = path.join(import.meta.dirname, "engine", fromSource ? "llama-values.ts" : "llama-values.js");
  const child = fork(entry, [], {
    execArgv: fromSource ? ["--conditions=starbox-source"] : [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  return new Promise((resolve, reject) => {
    const fail = (words: string): void => {
      reject(new StarboxError("engine_failed", `llama.cpp, for comparison: ${words}.`, { zh: { message: `用于对比的 llama.cpp 出错：${words}。` } }));
    };
    const stop = (): void => {
      child.kill("SIGKILL");
      reject(new StarboxError("cancelled", "The comparison was cancelled.", { zh: { message: "对比已取消。" } }));
    };
    signal.addEventListener("abort", stop, { once: true });
    child.once("message", (message: { readonly values?: T; readonly failed?: string }) => {
      if (message.values !== undefined) resolve(message.values);
      else fail(message.failed ?? "no answer");
    });
    child.once("exit", (code, kill) => {
      signal.removeEventListener("abort", stop);
      fail(`its process ended with ${code ?? kill}`); // too late to matter once it has answered
    });
    child.send(request);
  });
}
