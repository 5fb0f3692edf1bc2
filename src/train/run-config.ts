/** @file RUN.json: every key, its default and its limits. A promise to people who script runs. No files are read here. */
import { z } from "zod";
import { StarboxError } from "#base";

const names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] as const;
export type TargetName = (typeof names)[number];
export const targetNames: readonly TargetName[] = names;

const schema = z
  .strictObject({
    base: z.string().min(1),
    dataset: z.string().min(1),
    /** What the adapter is called as a model. Null: the base's name and the run's. */
    name: z
      .string()
      .regex(/^[\w.-]+$/)
      .nullable()
      .default(null),
    recipe: z.enum(["lora"]).default("lora"),
    rank: z.int().min(1).max(1024).default(16),
    /** Null: twice the rank. */
    alpha: z.number().positive().nullable().default(null),
    rsLora: z.boolean().default(false),
    targets: z.union([z.literal("all-linear"), z.array(z.enum(names)).min(1)]).default("all-linear"),
    /** Only these layers get adapters; backward stops below the lowest. Null: all. */
    layers: z.array(z.int().min(0)).min(1).nullable().default(null),
    dropout: z.number().min(0).lt(1).default(0),
    /** LoRA+: the learning rate of B is so many times that of A. */
    loraPlus: z.number().positive().default(1),
    learningRate: z.number().positive().default(2e-4),
    schedule: z.enum(["linear", "cosine", "constant"]).default("linear"),
    /** Below 1: a share of all steps; from 1: so many steps. */
    warmup: z.number().min(0).default(0.1),
    weightDecay: z.number().min(0).default(0),
    /** Largest norm of all gradients; 0: no clipping. */
    clip: z.number().min(0).default(1),
    epochs: z.number().positive().max(10_000).default(3),
    /** Examples in an optimiser step: decides the result. */
    batch: z.int().min(1).default(4),
    /** Tokens in a micro-batch at most: changes nothing but rounding and memory. */
    batchTokens: z.int().min(16).default(2048),
    /** Longer examples are cut here, and counted. */
    cutoff: z.int().min(8).default(2048),
    trainOnPrompt: z.boolean().default(false),
    /** Only the last answer of a conversation is learned. */
    maskHistory: z.boolean().default(false),
    packing: z.enum(["auto", "shared", "plain", "none"]).default("auto"),
    seed: z
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .default(0),
    threads: z.int().min(0).max(1024).default(0),
    /** Below 1: a share of the rows is held back; from 1: so many rows. */
    validation: z.number().min(0).default(0),
    /** Steps between validations; 0: once an epoch. */
    validateEvery: z.int().min(0).default(0),
    /** Stops after so many validations without a better one, and keeps the best; 0: never. */
    patience: z.int().min(0).default(0),
    /** Steps between checkpoints; 0: about ten in a run. */
    checkpointEvery: z.int().min(0).default(0),
    /** The frozen weights: widened to bf16, or as the file has them. */
    baseType: z.enum(["bf16", "file"]).default("bf16"),
    /** Values between operators. "auto": bf16 where the processor multiplies it, else f32. */
    activations: z.enum(["auto", "f32", "bf16"]).default("auto"),
    /** An adapter folder (PEFT) to go on from. */
    continueFrom: z.string().nullable().default(null),
  })
  .transform((run) => ({ ...run, alpha: run.alpha ?? 2 * run.rank }));

export type RunConfig = z.infer<typeof schema>;

/** Throws invalid_input naming every key that is wrong. */
export function parseRunConfig(value: unknown): RunConfig {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "(whole)"}: ${message}`).join("; ");
  throw new StarboxError("invalid_input", `run.json: ${wrong}.`, {
    hint: "`starbox train --help` lists every key with its default.",
    zh: { message: `run.json 有误：${wrong}。`, hint: "`starbox train --help` 列出所有参数及默认值。" },
  });
}

/** Every key with its default, for `--help` and the log. */
export const runDefaults: Readonly<Record<string, unknown>> = (({ base: _base, dataset: _dataset, ...rest }) => rest)(
  schema.parse({ base: "-", dataset: "-" }),
);

/** What multiplies B·A: alpha / rank, or alpha / √rank with rsLoRA (Kalajdzievski, 2023). */
export const loraScale = ({ alpha, rank, rsLora }: Pick<RunConfig, "alpha" | "rank" | "rsLora">): number => alpha / (rsLora ? Math.sqrt(rank) : rank);
