/** @file A language model on our own operators: prompts, sampling, stops, tools, schemas, adapters, over the scheduler. Lives in the engine process; knows no people and no queue. */
import { StarboxError } from "#base";
import type { Device } from "#compute";
import type { FinishReason, GenerateRequest, StreamPart, TokenLogprob, ToolDefinition } from "#contracts";
import { encodePrompt, newCallId, type PromptPiece, parseToolCall, renderPrompt, TextGate, toolCallSchema } from "#formats";
import { type Adapter, AdapterSet, loadAdapter } from "./adapters.ts";
import { type GrammarState, Grammars } from "./grammar.ts";
import { type InferenceModel, loadInferenceModel } from "./load-model.ts";
import { logTotal, Sampler, type Sampling, topTokens } from "./sampler.ts";
import { Scheduler } from "./scheduler.ts";
import { mostRows, type StepOptions, StepPrograms } from "./step-programs.ts";

export type OwnEngineOptions = {
  readonly file: string;
  readonly device: Device;
  readonly contextTokens: number;
  /** Answers under way at the same time. */
  readonly parallel: number;
  /** Rows of one step at most; smaller steps let others' answers go on sooner while a long prompt is read. Default: 256. */
  readonly stepRows?: number;
  readonly cacheType?: StepOptions["cacheType"];
  /** Products with quantised weights take exact activations: slower, for comparison. Default: rounded to 8 bits, as llama.cpp does. */
  readonly exact?: boolean;
};

/** What a request may say; `adapter` is one that was loaded. */
export type OwnRequest = Omit<GenerateRequest, "signal" | "person" | "onWait" | "onStopped"> & { readonly adapter?: string };

type Emit = (part: StreamPart) => void;
type Work = { prompt: number; completion: number; cached: number };
const pageRows = 16;

export class OwnEngine implements AsyncDisposable {
  readonly info: { readonly contextTokens: number; readonly dimensions: number; readonly maxTokens: number; readonly device: string };
  readonly model: InferenceModel;
  readonly #device: Device;
  readonly #programs: StepPrograms;
  readonly #scheduler: Scheduler;
  readonly #grammars: Grammars;
  readonly #total: Work = { prompt: 0, completion: 0, cached: 0 };
  readonly #adapters = new Map<string, { readonly adapter: Adapter; readonly root: string }>();
  #order: readonly string[] = [];
  #set: AdapterSet | null = null;
  #changes: (() => void)[] = [];
  #serial = 0;

  private constructor(model: InferenceModel, options: OwnEngineOptions) {
    this.model = model;
    this.#device = options.device;
    const contextTokens = Math.min(options.contextTokens, model.config.context);
    const pagesEach = Math.ceil(contextTokens / pageRows);
    // As much again as the answers under way need: pages of earlier prompts to begin from.
    const pages = pagesEach * options.parallel + pagesEach;
    this.#programs = new StepPrograms(options.device, model, {
      sequences: options.parallel,
      pages,
      pageRows,
      pagesEach,
      cacheType: options.cacheType ?? "f16",
      exact: options.exact ?? false,
    });
    this.#scheduler = new Scheduler({
      sequences: options.parallel,
      pages,
      pageRows,
      pagesEach,
      vocabulary: model.config.vocabulary,
      mostRows: Math.min(mostRows, options.stepRows ?? mostRows),
      run: (step) => this.#programs.run(step),
      between: () => {
        for (const change of this.#changes.splice(0)) change();
      },
    });
    this.#grammars = new Grammars(model.tokenizer, model.config.vocabulary);
    this.info = { contextTokens, dimensions: model.config.width, maxTokens: contextTokens, device: options.device.description };
  }

  static async load(options: OwnEngineOptions): Promise<OwnEngine> {
    return new OwnEngine(await loadInferenceModel(options.file, options.device), options);
  }

  countTokens(texts: readonly string[]): readonly number[] {
    return texts.map((text) => this.model.tokenizer.encode(text).length);
  }

  totals(): { readonly promptTokens: number; readonly completionTokens: number } {
    return { promptTokens: this.#total.prompt, completionTokens: this.#total.completion };
  }

  /** From now on requests may name it. Loaded while others generate; the new order holds from the next step. */
  async addAdapter(id: string, file: string): Promise<void> {
    const adapter = await loadAdapter(file, { architecture: this.model.config.family, specs: this.model.specs });
    await this.#changeAdapters(() => this.#adapters.set(id, { adapter, root: `${id}#${this.#serial++}` }));
  }

  async removeAdapter(id: string): Promise<void> {
    await this.#changeAdapters(() => {
      const known = this.#adapters.get(id);
      this.#adapters.delete(id);
      if (known !== undefined) this.#scheduler.forgetRoot(known.root);
    });
  }

  get adapters(): readonly string[] {
    return [...this.#adapters.keys()];
  }

  #changeAdapters(change: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#changes.push(() => {
        try {
          change();
          const old = this.#set;
          this.#order = [...this.#adapters.keys()];
          const next =
            this.#order.length === 0
              ? null
              : new AdapterSet(
                  this.#device,
                  [...this.#adapters.values()].map(({ adapter }) => adapter),
                );
          this.#programs.setAdapters(next);
          this.#set = next;
          old?.[Symbol.dispose]();
          resolve();
        } catch (error) {
          reject(error as Error);
        }
      });
      this.#scheduler.wake();
    });
  }

  async generate(request: OwnRequest, signal: AbortSignal, emit: Emit): Promise<void> {
    const tools = request.toolChoice === "none" ? [] : (request.tools ?? []);
    const forced =
      tools.length > 0 && request.toolChoice !== undefined && request.toolChoice !== "auto" ? toolCallSchema(tools, request.toolChoice) : null;
    const prompt = this.#promptTokens(request.input, tools, forced !== null);
    const room = this.info.contextTokens - prompt.length;
    if (room < 1) throw this.#tooLong(prompt.length);
    const limit = Math.min(request.maxTokens ?? room, room);
    const schema = forced === null ? request.jsonSchema : asCallSchema(forced);
    using grammar = schema === undefined ? null : await this.#grammars.start(schema);
    const answer = new Answer(this.model, request, limit, grammar, forced !== null, tools, emit);
    const work: Work = { prompt: 0, completion: 0, cached: 0 };
    emit({ type: "start" });
    try {
      if (limit > 0)
        await this.#scheduler.submit({
          ...this.#place(request.adapter),
          prompt,
          mostTokens: prompt.length + limit,
          shared: request.seed === undefined, // a seed asks for the same bits again: nothing that other batches computed
          signal,
          onProgress: ({ prompt: done, cached }) => {
            work.prompt = done;
            if (cached >= 0) work.cached = cached;
          },
          choose: (logits) => answer.choose(logits, prompt),
        });
      work.completion = answer.tokens;
      const reason = answer.finish();
      emit({
        type: "finish",
        reason,
        usage: { promptTokens: prompt.length, completionTokens: answer.tokens, cachedTokens: work.cached },
      });
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new StarboxError("cancelled", "The request was cancelled.", {
        zh: { message: "请求已取消。" },
        details: { promptTokens: work.prompt, completionTokens: answer.tokens },
      });
    } finally {
      this.#total.prompt += work.prompt;
      this.#total.completion += answer.tokens;
    }
  }

  /** Natural logarithm of the probability of each continuation after the input, from raw logits. */
  async score(
    input: GenerateRequest["input"],
    continuations: readonly string[],
    signal: AbortSignal,
    adapter?: string,
  ): Promise<{ scores: { logprob: number; tokens: number }[]; tokens: number }> {
    const prompt = this.#promptTokens(input, [], false);
    const scores: { logprob: number; tokens: number }[] = [];
    for (const continuation of continuations) {
      const tokens = this.model.tokenizer.encode(continuation);
      if (prompt.length + tokens.length > this.info.contextTokens) throw this.#tooLong(prompt.length + tokens.length);
      scores.push({
        logprob: tokens.length === 0 ? 0 : (await this.logprobs(prompt, tokens, signal, adapter)).reduce((a, b) => a + b, 0),
        tokens: tokens.length,
      });
    }
    const worked = scores.reduce((sum, { tokens }) => sum + tokens, prompt.length);
    this.#total.prompt += worked;
    return { scores, tokens: worked };
  }

  /** log p of each of `tokens`, one after another, after `prompt`: what is trained is compared with this. */
  async logprobs(prompt: readonly number[], tokens: readonly number[], signal: AbortSignal, adapter?: string): Promise<number[]> {
    const found: number[] = [];
    await this.#scheduler.submit({
      ...this.#place(adapter),
      prompt,
      mostTokens: prompt.length + tokens.length,
      shared: true,
      signal,
      onProgress: () => {},
      choose: (logits) => {
        const next = tokens[found.length]!;
        found.push(logits[next]! - logTotal(logits));
        return found.length === tokens.length ? null : next;
      },
    });
    return found;
  }

  #place(adapter: string | undefined): { readonly root: string; readonly group: () => number } {
    if (adapter === undefined) return { root: "base", group: () => -1 };
    const known = this.#adapters.get(adapter);
    if (known === undefined)
      throw new StarboxError("model_not_found", `The adapter "${adapter}" is not loaded.`, { zh: { message: `适配器“${adapter}”未加载。` } });
    return {
      root: known.root,
      group: () => {
        const place = this.#adapters.get(adapter) === known ? this.#order.indexOf(adapter) : -1;
        if (place < 0)
          throw new StarboxError("model_not_found", `The adapter "${adapter}" was removed.`, { zh: { message: `适配器“${adapter}”已移除。` } });
        return place;
      },
    };
  }

  #tooLong(tokens: number): StarboxError {
    const { contextTokens } = this.info;
    return new StarboxError(
      "context_too_long",
      `The prompt has ${tokens} tokens; this model's context holds ${contextTokens}, with at least one left for the answer.`,
      {
        hint: "Shorten the conversation, or raise STARBOX_CONTEXT.",
        details: { promptTokens: tokens, contextTokens },
        zh: { message: `提示有 ${tokens} 个词元，模型上下文只能容纳 ${contextTokens} 个。`, hint: "请缩短对话，或调大 STARBOX_CONTEXT。" },
      },
    );
  }

  #promptTokens(input: GenerateRequest["input"], tools: readonly ToolDefinition[], forcedCall: boolean): number[] {
    const { tokenizer, template } = this.model;
    const name = (id: number | null): string => (id === null ? "" : (tokenizer.source.tokens[id] ?? ""));
    const pieces: PromptPiece[] =
      "prompt" in input
        ? [{ text: input.prompt, control: true, message: null }] // a raw prompt is the developer's own: FIM and template tokens count
        : renderPrompt({ template, messages: input.messages, tools, bosToken: name(tokenizer.bos), eosToken: name(tokenizer.eos) });
    if (forcedCall) pieces.push({ text: "<tool_call>\n", control: true, message: null });
    const { ids } = encodePrompt(tokenizer, pieces);
    if (ids.length === 0) throw new StarboxError("invalid_input", "The prompt is empty.", { zh: { message: "提示为空。" } });
    return ids;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#programs[Symbol.dispose]();
    this.#set?.[Symbol.dispose]();
    this.model[Symbol.dispose]();
  }
}

/** Calls name their tool and their arguments, both. */
function asCallSchema(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const alternatives = schema["oneOf"];
  if (Array.isArray(alternatives)) return { oneOf: alternatives.map((one) => asCallSchema(one as Record<string, unknown>)) };
  return { ...schema, required: ["name", "arguments"], additionalProperties: false };
}

const samplingOf = (request: OwnRequest): Sampling => ({
  temperature: request.temperature ?? 0.7,
  topK: request.topK ?? 0,
  topP: request.topP ?? 0.95,
  minP: request.minP ?? 0,
  repetitionPenalty: request.repetitionPenalty ?? 1,
  presencePenalty: request.presencePenalty ?? 0,
  frequencyPenalty: request.frequencyPenalty ?? 0,
  logitBias: new Map(Object.entries(request.logitBias ?? {}).map(([id, bias]) => [Number(id), bias])),
  seed: request.seed ?? Math.floor(Math.random() * 2 ** 32),
});

/** One answer while it is made: chooses tokens, turns them into text, holds back what may become a stop string or a call. */
class Answer {
  tokens = 0;
  readonly #model: InferenceModel;
  readonly #request: OwnRequest;
  readonly #limit: number;
  readonly #grammar: GrammarState | null;
  readonly #forced: boolean;
  readonly #names: ReadonlySet<string>;
  readonly #emit: Emit;
  readonly #gate: TextGate;
  readonly #stream;
  #sampler: Sampler | null = null;
  #call = "";
  #called = false;
  #stopped = false;
  /** An end token came, or the grammar has nothing more to say. */
  #over = false;
  #logprobs: TokenLogprob[] = [];

  constructor(
    model: InferenceModel,
    request: OwnRequest,
    limit: number,
    grammar: GrammarState | null,
    forced: boolean,
    tools: readonly ToolDefinition[],
    emit: Emit,
  ) {
    this.#model = model;
    this.#request = request;
    this.#limit = limit;
    this.#grammar = grammar;
    this.#forced = forced;
    this.#names = new Set(tools.map((tool) => tool.name));
    this.#emit = emit;
    this.#gate = new TextGate({ stops: forced ? [] : (request.stop ?? []), tools: forced ? new Set<string>() : this.#names });
    this.#stream = model.tokenizer.stream();
  }

  async choose(logits: Float32Array, prompt: readonly number[]): Promise<number | null> {
    this.#sampler ??= new Sampler(samplingOf(this.#request), prompt);
    const raw = this.#request.logprobs === undefined ? null : logits.slice();
    await this.#grammar?.mask(logits);
    const id = this.#sampler.choose(logits);
    if (id < 0 || this.#model.tokenizer.endings.has(id)) {
      this.#over = true;
      return null;
    }
    this.tokens++;
    if (raw !== null) this.#logprobs.push(this.#logprobOf(raw, id));
    if (this.#grammar?.accept(id) === true) this.#over = true;
    this.#write(this.#stream.push(id));
    return this.#over || this.#stopped || this.tokens >= this.#limit ? null : id;
  }

  /** What was held back, then why it ended. */
  finish(): FinishReason {
    if (!this.#stopped) this.#write(this.#stream.finish());
    if (this.#forced) return this.#finishCall();
    if (!this.#stopped) this.#send(this.#gate.finish());
    return this.#called ? "tool-calls" : this.#over || this.#stopped ? "stop" : "length";
  }

  #write(text: string): void {
    if (this.#forced) this.#call += text;
    else if (text !== "") this.#send(this.#gate.push(text));
  }

  #send(gated: ReturnType<TextGate["push"]>): void {
    if (gated.text !== "") {
      const logprobs = this.#logprobs.splice(0);
      this.#emit({ type: "text-delta", text: gated.text, ...(this.#request.logprobs === undefined ? {} : { logprobs }) });
    }
    for (const call of gated.calls) {
      this.#called = true;
      this.#emit({ type: "tool-call", call });
    }
    this.#stopped ||= gated.stopped;
  }

  #finishCall(): FinishReason {
    const call = parseToolCall(this.#call, this.#names);
    if (call !== null) {
      this.#emit({ type: "tool-call", call });
      return "tool-calls";
    }
    const name = /"name"\s*:\s*"([^"]+)"/.exec(this.#call)?.[1];
    const begin = this.#call.search(/"arguments"\s*:/);
    // Cut off by the length limit: the half call is shown as it is, as OpenAI does.
    if (name !== undefined && begin >= 0)
      this.#emit({ type: "tool-call", call: { id: newCallId(), name, arguments: this.#call.slice(this.#call.indexOf(":", begin) + 1).trim() } });
    return "length";
  }

  #logprobOf(logits: Float32Array, id: number): TokenLogprob {
    const total = logTotal(logits);
    const entry = (token: number) => {
      const bytes = this.#model.tokenizer.piece(token, true);
      return { token: Buffer.from(bytes).toString("utf8"), logprob: logits[token]! - total, bytes: [...bytes] };
    };
    return { ...entry(id), top: topTokens(logits, this.#request.logprobs ?? 0).map(entry) };
  }
}
