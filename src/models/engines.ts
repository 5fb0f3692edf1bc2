/** @file The engines of the models in use: one process a model (for an embedder one for questions and one a core for passages), made when first asked for, with its queue. Knows files, not the catalogue. */
import os from "node:os";
import path from "node:path";
import { type Logger, type Settings, StarboxError } from "#base";
import type { EmbeddingModel, LanguageModel, Reranker } from "#contracts";
import type { EngineLoad } from "./engine/protocol.ts";
import { EngineEmbeddingModel, EngineLanguageModel, EngineReranker } from "./engine-models.ts";
import { EngineProcess } from "./engine-process.ts";
import { FairQueue } from "./fair-queue.ts";
import { availableMemoryBytes, planMemory, tooLarge } from "./memory-plan.ts";
import type { ModelManifest } from "./model-store.ts";

export type EngineSettings = Pick<Settings, "engine" | "threads" | "context" | "parallel" | "queue" | "idleUnloadSeconds"> &
  Partial<Pick<Settings, "packCacheMb">>;

export type EngineStatus = {
  readonly model: string;
  readonly kind: ModelManifest["kind"];
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
  readonly loaded: boolean;
  readonly running: number;
  readonly waiting: number;
  readonly limit: number;
  readonly contextTokens: number | null;
};

type Engine = {
  readonly manifest: ModelManifest;
  readonly processes: readonly EngineProcess[];
  readonly names: readonly string[];
  readonly queue: FairQueue;
  readonly model: LanguageModel | EmbeddingModel | Reranker;
};

/** Beside the model's own file, so that it is found again and goes with it. */
export const fastCopyPath = (filePath: string): string => filePath.replace(/\.gguf$/, "") + ".fast.gguf";

const bulkNice = 19;
const bulkIdleSeconds = 60;
/** One thread each: processes that never wait for each other use the cores better than threads that do in every layer. */
const mostBulk = 4;
const embedderLimit = 2048;

export class Engines {
  readonly #engines = new Map<string, Engine>();
  readonly #settings: EngineSettings;
  readonly #logger: Logger;
  readonly #filePath: (manifest: ModelManifest) => string;
  readonly #adapterPath: (manifest: ModelManifest) => string | null;
  /** Ids of the catalogue's language models that need at most so many bytes. */
  readonly #fitting: (bytes: number) => readonly string[];
  readonly #freeBytes: () => number;

  constructor(options: {
    readonly settings: EngineSettings;
    readonly logger: Logger;
    readonly filePath: (manifest: ModelManifest) => string;
    readonly adapterPath: (manifest: ModelManifest) => string | null;
    readonly fitting: (bytes: number) => readonly string[];
    readonly freeBytes?: () => number;
  }) {
    this.#settings = options.settings;
    this.#logger = options.logger;
    this.#filePath = options.filePath;
    this.#adapterPath = options.adapterPath;
    this.#fitting = options.fitting;
    this.#freeBytes = options.freeBytes ?? availableMemoryBytes;
  }

  language(manifest: ModelManifest): LanguageModel {
    return this.#engine(manifest, "language").model as LanguageModel;
  }
  embedding(manifest: ModelManifest): EmbeddingModel {
    return this.#engine(manifest, "embedding").model as EmbeddingModel;
  }
  reranker(manifest: ModelManifest): Reranker {
    return this.#engine(manifest, "reranker").model as Reranker;
  }

  #engine(manifest: ModelManifest, kind: ModelManifest["kind"]): Engine {
    if (manifest.kind !== kind) {
      throw new StarboxError("invalid_input", `${manifest.id} is a model of kind "${manifest.kind}", expected "${kind}".`, {
        hint: "starbox models list shows the kinds.",
        zh: { message: `${manifest.id} 的类型是“${manifest.kind}”，此处需要“${kind}”。`, hint: "starbox models list 可查看类型。" },
      });
    }
    const known = this.#engines.get(manifest.id);
    if (known !== undefined && known.manifest.sha256 === manifest.sha256 && known.manifest.adapter?.sha256 === manifest.adapter?.sha256) return known;
    const engine =
      kind === "language" ? this.#createLanguage(manifest) : kind === "embedding" ? this.#createEmbedding(manifest) : this.#createReranker(manifest);
    this.#engines.set(manifest.id, engine);
    return engine;
  }

  #contextOf(manifest: ModelManifest): number {
    return Math.min(this.#settings.context, manifest.contextTokens ?? this.#settings.context);
  }

  #process(
    manifest: ModelManifest,
    options: {
      readonly name: string;
      readonly contextTokens: number;
      readonly parallel: number;
      readonly threads: number;
      readonly nice: number;
      readonly gpu: "auto" | false;
      readonly idleSeconds: number;
    },
  ): EngineProcess {
    const filePath = this.#filePath(manifest);
    return new EngineProcess({
      name: options.name,
      logger: this.#logger,
      idleMs: options.idleSeconds * 1000,
      load: async (): Promise<EngineLoad> => {
        await this.#makeRoom(manifest, filePath, options);
        return {
          type: "load",
          kind: manifest.kind,
          // Our own engine does not apply adapters yet: it would answer as the bare base.
          engine: manifest.kind === "language" && manifest.adapter === undefined ? this.#settings.engine : "llama.cpp",
          filePath,
          adapterPath: this.#adapterPath(manifest),
          fastPath: manifest.kind === "language" ? fastCopyPath(filePath) : null,
          packCache: this.#packCache(filePath),
          contextTokens: options.contextTokens,
          parallel: options.parallel,
          threads: options.threads,
          nice: options.nice,
          gpu: options.gpu,
          prefixed: /(^|[^a-z0-9])e5([^a-z0-9]|$)/i.test(`${manifest.id} ${manifest.name}`),
        };
      },
    });
  }

  /** Beside the models' folder, in the data folder. */
  #packCache(filePath: string): EngineLoad["packCache"] {
    const { packCacheMb = 0 } = this.#settings;
    return packCacheMb === 0 ? null : { folder: path.join(path.dirname(path.dirname(filePath)), "cache", "packed"), maxBytes: packCacheMb * 2 ** 20 };
  }

  #createLanguage(manifest: ModelManifest): Engine {
    const contextTokens = this.#contextOf(manifest);
    const { parallel, queue: limit, threads, idleUnloadSeconds } = this.#settings;
    const process = this.#process(manifest, {
      name: `engine ${manifest.id}`,
      contextTokens,
      parallel,
      threads,
      nice: 0,
      gpu: "auto",
      idleSeconds: idleUnloadSeconds,
    });
    const queue = new FairQueue({ slots: parallel, limit });
    return {
      manifest,
      processes: [process],
      names: [`engine ${manifest.id}`],
      queue,
      model: new EngineLanguageModel({ id: manifest.id, contextTokens, process, queue }),
    };
  }

  #createEmbedding(manifest: ModelManifest): Engine {
    const maxTokens = Math.min(manifest.contextTokens ?? 512, embedderLimit);
    const common = { contextTokens: maxTokens, parallel: 1, threads: 1, gpu: false as const };
    const cores = this.#settings.threads > 0 ? this.#settings.threads : os.availableParallelism();
    const shares = Array.from({ length: Math.min(mostBulk, Math.max(1, cores)) }, (_, i) => i + 1);
    const names = [`engine ${manifest.id}`, ...shares.map((share) => `engine ${manifest.id} (passages ${share})`)];
    const idle = this.#settings.idleUnloadSeconds;
    const now = this.#process(manifest, { ...common, name: names[0] ?? "", nice: 0, idleSeconds: idle });
    const bulk = shares.map((share) =>
      this.#process(manifest, {
        ...common,
        name: names[share] ?? "",
        nice: bulkNice,
        idleSeconds: idle === 0 ? bulkIdleSeconds : Math.min(idle, bulkIdleSeconds),
      }),
    );
    const queue = new FairQueue({ slots: 1, limit: this.#settings.queue });
    return {
      manifest,
      processes: [now, ...bulk],
      names,
      queue,
      model: new EngineEmbeddingModel({ id: manifest.id, dimensions: manifest.dimensions ?? 0, maxTokens, now, bulk }),
    };
  }

  #createReranker(manifest: ModelManifest): Engine {
    const process = this.#process(manifest, {
      name: `engine ${manifest.id}`,
      contextTokens: Math.min(manifest.contextTokens ?? 512, embedderLimit),
      parallel: 1,
      threads: this.#settings.threads,
      nice: 0,
      gpu: "auto",
      idleSeconds: this.#settings.idleUnloadSeconds,
    });
    return {
      manifest,
      processes: [process],
      names: [`engine ${manifest.id}`],
      queue: new FairQueue({ slots: 1, limit: this.#settings.queue }),
      model: new EngineReranker({ id: manifest.id, process }),
    };
  }

  /** Refuses what cannot fit; models that nobody is using make room first. */
  async #makeRoom(manifest: ModelManifest, filePath: string, size: { readonly contextTokens: number; readonly parallel: number }): Promise<void> {
    const plan = await planMemory(filePath, size);
    if (plan.totalBytes <= this.#freeBytes()) return;
    for (const other of this.#engines.values()) {
      if (other.manifest.id === manifest.id) continue;
      for (const process of other.processes) {
        if (process.busy || process.info === null) continue;
        this.#logger.info({ engine: other.manifest.id, for: manifest.id }, "idle engine unloaded to make room");
        await process.stop();
        if (plan.totalBytes <= this.#freeBytes()) return;
      }
    }
    const free = this.#freeBytes();
    if (plan.totalBytes > free) throw tooLarge(manifest.id, plan, free, this.#fitting(free));
  }

  isLoaded(id: string): boolean {
    return this.#engines.get(id)?.processes.some((process) => process.info !== null) ?? false;
  }
  isBusy(id: string): boolean {
    const engine = this.#engines.get(id);
    return engine !== undefined && (engine.queue.running > 0 || engine.queue.waiting > 0 || engine.processes.some((process) => process.busy));
  }

  /** Loads ahead of the first question. */
  async warm(id: string): Promise<void> {
    await this.#engines.get(id)?.processes[0]?.start();
  }
  async unload(id: string): Promise<void> {
    await Promise.all(this.#engines.get(id)?.processes.map((process) => process.stop()) ?? []);
  }
  async forget(id: string): Promise<void> {
    const engine = this.#engines.get(id);
    this.#engines.delete(id);
    await Promise.all(engine?.processes.map((process) => process.close()) ?? []);
  }
  async close(): Promise<void> {
    await Promise.all([...this.#engines.keys()].map((id) => this.forget(id)));
  }

  /** What a language model's engine has worked since it was loaded, by its own count. */
  async totals(id: string): Promise<{ readonly promptTokens: number; readonly completionTokens: number }> {
    const process = this.#engines.get(id)?.processes[0];
    return process === undefined || process.info === null ? { promptTokens: 0, completionTokens: 0 } : await process.call({ type: "totals" });
  }

  status(): readonly EngineStatus[] {
    return [...this.#engines.values()].map(({ manifest, processes, names, queue }) => ({
      model: manifest.id,
      kind: manifest.kind,
      processes: processes.flatMap((process, i) => (process.pid === null ? [] : [{ name: names[i] ?? manifest.id, pid: process.pid }])),
      loaded: processes.some((process) => process.info !== null),
      running: queue.running,
      waiting: queue.waiting,
      limit: queue.limit,
      contextTokens: processes[0]?.info?.contextTokens ?? null,
    }));
  }
}
