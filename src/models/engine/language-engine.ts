/** @file A language model in memory, over node-llama-cpp: prompt, prefix cache, sampling, stops, tools. Lives in the engine process; knows no people and no queue. */
import {
  getLlama,
  type Llama,
  type LlamaContext,
  type LlamaContextSequence,
  type LlamaGrammar,
  LlamaGrammarEvaluationState,
  LlamaLogLevel,
  type LlamaModel,
  LlamaVocabularyType,
  type Token,
  TokenBias,
} from "node-llama-cpp";
import { StarboxError } from "#base";
import type { FinishReason, GenerateRequest, StreamPart, ToolDefinition } from "#contracts";
import { fallbackTemplate, newCallId, type PromptPiece, parseToolCall, renderPrompt, TextGate, toGrammarSchema, toolCallSchema } from "#formats";
import { preferFastCopy } from "./fast-copy.ts";
import type { EngineInfo, EngineLoad, WireRequest } from "./protocol.ts";
import { ThreadGovernor } from "./thread-governor.ts";
import { TokenWriter } from "./token-writer.ts";

/** Prompt tokens between two looks at whether the reader has left. */
const promptStep = 256;

/** Tokens worked on for the present request: what it cost, however it ends. */
type Work = { prompt: number; completion: number };
type Slot = { readonly sequence: LlamaContextSequence; busy: boolean; lastUsed: number; leave: () => void; work: Work };
type Emit = (part: StreamPart) => void;

export class LanguageEngine {
  readonly info: EngineInfo;
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  readonly #slots: Slot[];
  readonly #waiting: (() => void)[] = [];
  readonly #grammars = new Map<string, LlamaGrammar>();
  readonly #governor: ThreadGovernor;
  /** The engine's own count over all requests, however they ended. */
  readonly #total: Work = { prompt: 0, completion: 0 };
  #clock = 0;

  private constructor(llama: Llama, model: LlamaModel, context: LlamaContext, slots: Slot[]) {
    this.#llama = llama;
    this.#model = model;
    this.#slots = slots;
    this.#governor = new ThreadGovernor(context.idealThreads, (threads) => {
      llama.maxThreads = threads;
    });
    this.info = {
      contextTokens: context.contextSize,
      dimensions: model.embeddingVectorSize,
      maxTokens: context.contextSize,
      device: llama.gpu === false ? "cpu" : llama.gpu,
    };
  }

  static async load(options: EngineLoad): Promise<LanguageEngine> {
    const llama = await getLlama({
      build: "never",
      skipDownload: true,
      gpu: options.gpu,
      logLevel: LlamaLogLevel.error,
      progressLogs: false,
      ...(options.threads > 0 ? { maxThreads: options.threads } : {}),
    });
    const modelPath = options.fastPath !== null && llama.gpu === false ? await preferFastCopy(options.filePath, options.fastPath) : options.filePath;
    // The fast copy is repacked into memory as a whole: mapped as well it would lie there twice.
    const model = await llama.loadModel({ modelPath, useMmap: modelPath === options.filePath, ignoreMemorySafetyChecks: true });
    const contextSize = Math.min(options.contextTokens, model.trainContextSize);
    const context = await model.createContext({
      contextSize,
      sequences: options.parallel,
      batchSize: promptStep,
      ignoreMemorySafetyChecks: true,
      ...(options.threads > 0 ? { threads: options.threads } : {}),
      ...(options.adapterPath === null ? {} : { lora: options.adapterPath }),
    });
    const slots = Array.from({ length: options.parallel }, () => ({
      sequence: context.getSequence(),
      busy: false,
      lastUsed: 0,
      leave: () => {},
      work: { prompt: 0, completion: 0 },
    }));
    return new LanguageEngine(llama, model, context, slots);
  }

  countTokens(texts: readonly string[]): readonly number[] {
    return texts.map((text) => this.#model.tokenize(text).length);
  }

  totals(): { readonly promptTokens: number; readonly completionTokens: number } {
    return { promptTokens: this.#total.prompt, completionTokens: this.#total.completion };
  }

  async generate(request: WireRequest, signal: AbortSignal, emit: Emit): Promise<void> {
    if (request.logprobs !== undefined)
      throw new StarboxError("unsupported", "This engine cannot give true log-probabilities while it samples.", {
        hint: "Leave logprobs out, or run the model on our own engine: STARBOX_ENGINE=own.",
        zh: { message: "此引擎在采样时无法给出真实的对数概率。", hint: "请去掉 logprobs 参数，或以 STARBOX_ENGINE=own 使用自有引擎。" },
      });
    const tools = request.toolChoice === "none" ? [] : (request.tools ?? []);
    const forced =
      tools.length > 0 && request.toolChoice !== undefined && request.toolChoice !== "auto" ? toolCallSchema(tools, request.toolChoice) : null;
    const tokens = this.#promptTokens(request.input, tools, forced !== null);
    const room = this.info.contextTokens - tokens.length;
    if (room < 1) throw this.#tooLong(tokens.length);
    const limit = Math.min(request.maxTokens ?? room, room);
    const grammar = forced !== null ? await this.#grammar(forced) : request.jsonSchema !== undefined ? await this.#grammar(request.jsonSchema) : null;
    const slot = await this.#takeSlot(tokens, request.seed !== undefined);
    try {
      emit({ type: "start" });
      const cachedTokens = await this.#prefill(slot, tokens, request.seed !== undefined, signal);
      const { reason, completionTokens } =
        forced !== null
          ? await this.#runForcedCall(slot, tokens, request, grammar, limit, tools, signal, emit)
          : await this.#runText(slot, tokens, request, grammar, limit, tools, signal, emit);
      slot.work.prompt = tokens.length;
      emit({ type: "finish", reason, usage: { promptTokens: tokens.length, completionTokens, cachedTokens } });
    } catch (error) {
      if (!signal.aborted) throw error;
      throw stopped(slot.work);
    } finally {
      this.#total.prompt += slot.work.prompt;
      this.#total.completion += slot.work.completion;
      this.#giveBack(slot);
    }
  }
  /** Natural logarithm of the probability of each continuation after the input, from raw logits over the whole vocabulary: no sampling settings touch them. */
  async score(
    input: GenerateRequest["input"],
    continuations: readonly string[],
    signal: AbortSignal,
  ): Promise<{ scores: { logprob: number; tokens: number }[]; tokens: number }> {
    const prompt = this.#promptTokens(input, [], false);
    const slot = await this.#takeSlot(prompt, false);
    try {
      await this.#prefill(slot, prompt, false, signal);
      const results: { logprob: number; tokens: number }[] = [];
      for (const continuation of continuations) {
        signal.throwIfAborted();
        const tokens = this.#model.tokenize(continuation);
        if (prompt.length + tokens.length > this.info.contextTokens) throw this.#tooLong(prompt.length + tokens.length);
        await slot.sequence.adaptStateToTokens(prompt.slice(0, -1), false);
        results.push({
          logprob: tokens.length === 0 ? 0 : await scoreTokens(slot.sequence, prompt[prompt.length - 1], tokens),
          tokens: tokens.length,
        });
      }
      const worked = results.reduce((sum, result) => sum + result.tokens, prompt.length);
      this.#total.prompt += worked;
      return { scores: results, tokens: worked };
    } finally {
      this.#giveBack(slot);
    }
  }

  #tooLong(tokens: number): StarboxError {
    return new StarboxError(
      "context_too_long",
      `The prompt has ${tokens} tokens; this model's context holds ${this.info.contextTokens}, with at least one left for the answer.`,
      {
        hint: "Shorten the conversation, or raise STARBOX_CONTEXT.",
        details: { promptTokens: tokens, contextTokens: this.info.contextTokens },
        zh: { message: `提示有 ${tokens} 个词元，模型上下文只能容纳 ${this.info.contextTokens} 个。`, hint: "请缩短对话，或调大 STARBOX_CONTEXT。" },
      },
    );
  }

  #promptTokens(input: GenerateRequest["input"], tools: readonly ToolDefinition[], forcedCall: boolean): Token[] {
    const pieces: PromptPiece[] =
      "prompt" in input
        ? [{ text: input.prompt, control: true, message: null }] // a raw prompt is the developer's own: FIM and template tokens count
        : renderPrompt({
            template: this.#model.fileInfo.metadata.tokenizer?.chat_template ?? fallbackTemplate,
            messages: input.messages,
            tools,
            bosToken: this.#model.tokens.bosString ?? "",
            eosToken: this.#model.tokens.eosString ?? "",
          });
    if (forcedCall) pieces.push({ text: "<tool_call>\n", control: true, message: null });
    const tokens: Token[] = [];
    const bos = this.#model.tokens.bos;
    if (this.#model.tokens.shouldPrependBosToken && bos !== null) tokens.push(bos);
    // Byte-pair vocabularies can be cut at piece borders; others put a space before each piece, so there control tokens in content are broken up instead.
    if (this.#model.vocabularyType === LlamaVocabularyType.bpe) {
      for (const piece of pieces) for (const token of this.#model.tokenize(piece.text, piece.control)) tokens.push(token);
    } else {
      const whole = pieces.map((piece) => (piece.control ? piece.text : piece.text.replace(/<(?=[|/\w])/g, "< "))).join("");
      for (const token of this.#model.tokenize(whole, true)) tokens.push(token);
    }
    if (tokens.length === 0) throw new StarboxError("invalid_input", "The prompt is empty.", { zh: { message: "提示为空。" } });
    return tokens;
  }

  async #grammar(schema: Readonly<Record<string, unknown>>): Promise<LlamaGrammar> {
    const key = JSON.stringify(schema);
    let grammar = this.#grammars.get(key);
    if (grammar === undefined) {
      const anyObject = Object.keys(schema).length === 0;
      try {
        grammar = anyObject
          ? await this.#llama.getGrammarFor("json")
          : await this.#llama.createGrammarForJsonSchema(toGrammarSchema(schema) as Parameters<Llama["createGrammarForJsonSchema"]>[0]);
      } catch (cause) {
        if (StarboxError.is(cause)) throw cause;
        throw new StarboxError("invalid_input", `The JSON schema makes no grammar: ${cause instanceof Error ? cause.message : String(cause)}`, {
          cause,
          zh: { message: "无法由该 JSON Schema 生成语法。" },
        });
      }
      if (this.#grammars.size >= 64) this.#grammars.delete(this.#grammars.keys().next().value ?? "");
      this.#grammars.set(key, grammar);
    }
    return grammar;
  }

  /** The free sequence whose memory shares the longest beginning with this prompt. */
  async #takeSlot(tokens: readonly Token[], fresh: boolean): Promise<Slot> {
    for (;;) {
      const free = this.#slots.filter((slot) => !slot.busy);
      const shared = (slot: Slot): number => (fresh ? 0 : commonPrefix(slot.sequence.contextTokens, tokens));
      const best = free
        .map((slot) => ({ slot, shared: shared(slot) }))
        .sort((a, b) => b.shared - a.shared || a.slot.lastUsed - b.slot.lastUsed)[0]?.slot;
      if (best !== undefined) {
        best.busy = true;
        best.work = { prompt: 0, completion: 0 };
        best.leave = this.#governor.enter();
        return best;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #giveBack(slot: Slot): void {
    slot.busy = false;
    slot.leave();
    slot.lastUsed = ++this.#clock;
    this.#waiting.shift()?.();
  }

  /** Brings all but the last prompt token into memory, in steps, so that a leaving reader frees the engine soon. A seed asks for the same bits again, so nothing computed in other batches is reused then. */
  async #prefill(slot: Slot, tokens: Token[], fresh: boolean, signal: AbortSignal): Promise<number> {
    const { sequence } = slot;
    if (fresh) await sequence.clearHistory();
    else await sequence.adaptStateToTokens(tokens.slice(0, -1), false);
    const cached = sequence.nextTokenIndex;
    slot.work.prompt = cached;
    for (let at = cached; at < tokens.length - 1; at += promptStep) {
      signal.throwIfAborted();
      const next = Math.min(at + promptStep, tokens.length - 1);
      await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(at, next));
      slot.work.prompt = next;
    }
    return cached;
  }

  async *#tokens(
    slot: Slot,
    tokens: Token[],
    request: WireRequest,
    grammar: LlamaGrammar | null,
    limit: number,
    signal: AbortSignal,
  ): AsyncGenerator<Token> {
    const last = tokens[tokens.length - 1];
    if (last === undefined || limit < 1) return;
    let count = 0;
    const answer: Token[] = [];
    const iterator = slot.sequence.evaluate([last], {
      temperature: request.temperature ?? 0.7,
      topP: request.topP ?? 0.95,
      ...(request.topK === undefined ? {} : { topK: request.topK }),
      ...(request.minP === undefined ? {} : { minP: request.minP }),
      ...this.#biases(tokens, answer, request),
      ...(request.seed === undefined ? {} : { seed: request.seed >>> 0 }),
      ...(grammar === null ? {} : { grammarEvaluationState: new LlamaGrammarEvaluationState({ model: this.#model, grammar }) }),
    });
    for await (const token of iterator) {
      slot.work.prompt = tokens.length;
      slot.work.completion++;
      signal.throwIfAborted();
      answer.push(token);
      yield token;
      if (++count >= limit) return;
    }
  }

  /** Penalties for what was said, and the caller's own wishes. The prompt's tokens count for repetition only. */
  #biases(prompt: readonly Token[], answer: readonly Token[], request: WireRequest): Parameters<LlamaContextSequence["evaluate"]>[1] {
    const { repetitionPenalty: penalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias } = request;
    const punishTokens = (): Token[] => (penalty === 1 ? [...answer] : [...prompt, ...answer]);
    const bias = logitBias === undefined ? null : TokenBias.for(this.#model);
    for (const [id, logit] of Object.entries(logitBias ?? {})) bias?.set(Number(id) as Token, { logit });
    return {
      ...(penalty === 1 && presencePenalty === 0 && frequencyPenalty === 0
        ? {}
        : { repeatPenalty: { punishTokens, penalty, presencePenalty, frequencyPenalty } }),
      ...(bias === null ? {} : { tokenBias: bias }),
    };
  }

  async #runText(
    slot: Slot,
    tokens: Token[],
    request: WireRequest,
    grammar: LlamaGrammar | null,
    limit: number,
    tools: readonly ToolDefinition[],
    signal: AbortSignal,
    emit: Emit,
  ): Promise<{ reason: FinishReason; completionTokens: number }> {
    const gate = new TextGate({ stops: request.stop ?? [], tools: new Set(tools.map((tool) => tool.name)) });
    const writer = new TokenWriter(this.#model, tokens);
    let completionTokens = 0;
    let called = false;
    let stopped = false;
    const send = (gated: ReturnType<TextGate["push"]>): void => {
      if (gated.text !== "") emit({ type: "text-delta", text: gated.text });
      for (const call of gated.calls) {
        called = true;
        emit({ type: "tool-call", call });
      }
      stopped ||= gated.stopped;
    };
    for await (const token of this.#tokens(slot, tokens, request, grammar, limit, signal)) {
      completionTokens++;
      send(gate.push(writer.push(token)));
      if (stopped) break;
    }
    if (!stopped) {
      send(gate.push(writer.finish()));
      if (!stopped) send(gate.finish());
    }
    return { reason: called ? "tool-calls" : !stopped && completionTokens >= limit ? "length" : "stop", completionTokens };
  }

  async #runForcedCall(
    slot: Slot,
    tokens: Token[],
    request: WireRequest,
    grammar: LlamaGrammar | null,
    limit: number,
    tools: readonly ToolDefinition[],
    signal: AbortSignal,
    emit: Emit,
  ): Promise<{ reason: FinishReason; completionTokens: number }> {
    const generated: Token[] = [];
    for await (const token of this.#tokens(slot, tokens, request, grammar, limit, signal)) generated.push(token);
    const text = this.#model.detokenize(generated);
    const call = parseToolCall(text, new Set(tools.map((tool) => tool.name)));
    if (call !== null) emit({ type: "tool-call", call });
    else {
      const name = /"name"\s*:\s*"([^"]+)"/.exec(text)?.[1];
      const begin = text.search(/"arguments"\s*:/);
      // Cut off by the length limit: the half call is shown as it is, as OpenAI does.
      if (name !== undefined && begin >= 0)
        emit({ type: "tool-call", call: { id: newCallId(), name, arguments: text.slice(text.indexOf(":", begin) + 1).trim() } });
    }
    return { reason: call !== null ? "tool-calls" : "length", completionTokens: generated.length };
  }
}

/** A reader who left pays for what was worked until then. */
function stopped({ prompt, completion }: Work): StarboxError {
  const details = { promptTokens: prompt, completionTokens: completion };
  return new StarboxError("cancelled", "The request was cancelled.", { zh: { message: "请求已取消。" }, details });
}

function commonPrefix(a: readonly Token[], b: readonly Token[]): number {
  const end = Math.min(a.length, b.length);
  let i = 0;
  while (i < end && a[i] === b[i]) i++;
  return i;
}

async function scoreTokens(sequence: LlamaContextSequence, last: Token | undefined, tokens: readonly Token[]): Promise<number> {
  const inputs = [last, ...tokens.slice(0, -1)];
  const outputs = await sequence.controlledEvaluate(
    inputs.map((token, i) => [
      token as Token,
      { generateNext: { logits: { filter: { tokens: [tokens[i] as Token], includeTop: 1 } }, totalLogitWeight: true, options: { temperature: 0 } } },
    ]),
  );
  let sum = 0;
  tokens.forEach((token, i) => {
    const next = outputs[i]?.next;
    const logit = next?.logits?.get(token);
    if (next?.logits === undefined || next.totalLogitWeight === undefined || logit === undefined)
      throw new StarboxError("engine_failed", "The engine gave no logits for a token that was asked for.");
    sum += logit - Math.max(...next.logits.values()) - Math.log(next.totalLogitWeight);
  });
  return sum;
}
