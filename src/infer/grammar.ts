/** @file JSON schemas as masks over the vocabulary, by XGrammar (Dong et al., 2024). Only the bits come from there; sampling is ours. */
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import vm from "node:vm";
import { StarboxError } from "#base";
import { type Tokenizer, toGrammarSchema } from "#formats";

type XGrammar = typeof import("@mlc-ai/web-xgrammar");
type Compiler = Awaited<ReturnType<XGrammar["GrammarCompiler"]["createGrammarCompiler"]>>;
type Compiled = InstanceType<XGrammar["CompiledGrammar"]>;

let library: XGrammar | null = null;

/** The package is CommonJS that calls itself a module: Node's own import refuses it, so it is run as what it is. */
function loadXGrammar(): XGrammar {
  if (library !== null) return library;
  const file = createRequire(import.meta.url).resolve("@mlc-ai/web-xgrammar");
  const module = { exports: {} as XGrammar };
  const run = vm.compileFunction(fs.readFileSync(file, "utf8"), ["exports", "module", "require", "__filename", "__dirname"], {
    filename: file,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  run(module.exports, module, createRequire(file), file, path.dirname(file));
  library = module.exports;
  return library;
}

/** What one answer may go on with. */
export type GrammarState = Disposable & {
  /** Sets the logits of tokens that cannot follow to −∞. */
  mask(logits: Float32Array): Promise<void>;
  /** True: the answer is complete and nothing may follow. */
  accept(token: number): boolean;
};

const cacheEntries = 32;

export class Grammars {
  readonly #tokenizer: Tokenizer;
  readonly #vocabulary: number;
  readonly #compiled = new Map<string, Promise<Compiled>>();
  #compiler: Promise<Compiler> | null = null;

  constructor(tokenizer: Tokenizer, vocabulary: number) {
    this.#tokenizer = tokenizer;
    this.#vocabulary = vocabulary;
  }

  /** `schema` in the engines' dialect or as people write it; {}: any object. Throws `unsupported` for what cannot be enforced. */
  async start(schema: Readonly<Record<string, unknown>>): Promise<GrammarState> {
    const given = Object.keys(schema).length === 0 ? { type: "object" } : toGrammarSchema(schema);
    const key = JSON.stringify(given);
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      compiled = this.#compile(key);
      compiled.catch(() => this.#compiled.delete(key));
      if (this.#compiled.size >= cacheEntries) {
        const oldest = this.#compiled.keys().next().value!;
        void this.#compiled.get(oldest)?.then((old) => old.dispose());
        this.#compiled.delete(oldest);
      }
      this.#compiled.set(key, compiled);
    }
    const matcher = await loadXGrammar().GrammarMatcher.createGrammarMatcher(await compiled);
    return {
      mask: async (logits) => {
        const bits = await matcher.getNextTokenBitmask();
        for (let id = 0; id < logits.length; id++) if (((bits[id >>> 5]! >>> (id & 31)) & 1) === 0) logits[id] = Number.NEGATIVE_INFINITY;
      },
      accept: (token) => {
        if (!matcher.acceptToken(token)) throw new StarboxError("internal", `The grammar refuses the token ${token} that it allowed.`);
        return matcher.isTerminated();
      },
      [Symbol.dispose]: () => matcher.dispose(),
    };
  }

  async #compile(schema: string): Promise<Compiled> {
    this.#compiler ??= this.#createCompiler();
    const compiler = await this.#compiler;
    try {
      // Compact, with one space after colons and commas: small models otherwise write white space without end.
      return await compiler.compileJSONSchema(schema, false, undefined, undefined, false);
    } catch (cause) {
      throw new StarboxError("invalid_input", `The JSON schema makes no grammar: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
        zh: { message: "无法由该 JSON Schema 生成语法。" },
      });
    }
  }

  async #createCompiler(): Promise<Compiler> {
    const { TokenizerInfo, GrammarCompiler } = loadXGrammar();
    const { source, endings } = this.#tokenizer;
    const texts = Array.from({ length: this.#vocabulary }, (_, id) => source.tokens[id] ?? `<unused ${id}>`);
    const kind = source.model === "bytePairs" ? "byte_level" : "byte_fallback";
    const info = await TokenizerInfo.createTokenizerInfo(texts, kind, source.addSpacePrefix, this.#vocabulary, [...endings]);
    return await GrammarCompiler.createGrammarCompiler(info);
  }
}
