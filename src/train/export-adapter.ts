/** @file Adapters out and in: PEFT (safetensors with adapter_config.json, Hugging Face's row order) and GGUF (llama.cpp's). */
import fs from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { StarboxError } from "#base";
import { encodeSafetensors, f32Tensor, f32Values, readSafetensors, type SafetensorsTensor, writeDurable, writeGguf } from "#formats";
import type { DecoderConfig } from "#nn";
import { type Adapter, type Part, partName, partSpec } from "./lora.ts";
import type { RunConfig } from "./run-config.ts";
import type { Stepper } from "./stepper.ts";

export type AdapterAbout = {
  readonly run: Pick<RunConfig, "rank" | "alpha" | "rsLora" | "dropout" | "targets" | "layers">;
  readonly config: DecoderConfig;
  readonly baseId: string;
  readonly baseSha256: string;
  readonly templateHash: string;
};

const modulePath = ({ layer, target }: Adapter): string => {
  const block = target.endsWith("proj") && ["q_proj", "k_proj", "v_proj", "o_proj"].includes(target) ? "self_attn" : "mlp";
  return `base_model.model.model.layers.${layer}.${block}.${target}`;
};
const peftName = (adapter: Adapter, part: Part): string => `${modulePath(adapter)}.lora_${part.toUpperCase()}.weight`;

/** llama's GGUF files hold the rows of Q and K pair by pair, Hugging Face half by half: file row 2j+p of a head is row p·half+j there. */
function headsOf({ target }: Adapter, { rope, heads, kvHeads }: DecoderConfig): number | null {
  if (!rope.interleaved) return null;
  return target === "q_proj" ? heads : target === "k_proj" ? kvHeads : null;
}

function reorderRows(values: Float32Array, rows: number, heads: number, toHuggingFace: boolean): Float32Array {
  const columns = values.length / rows;
  const [width, result] = [rows / heads, new Float32Array(values.length)];
  for (let row = 0; row < rows; row++) {
    const [head, inside] = [Math.floor(row / width), row % width];
    const other = head * width + (inside % 2) * (width / 2) + Math.floor(inside / 2); // Hugging Face's row of GGUF's `row`
    const [from, to] = toHuggingFace ? [row, other] : [other, row];
    result.set(values.subarray(from * columns, (from + 1) * columns), to * columns);
  }
  return result;
}

/** Writes FOLDER/adapter_model.safetensors and adapter_config.json; answers the weights' bytes. */
export async function writePeft(folder: string, stepper: Stepper, about: AdapterAbout): Promise<Uint8Array> {
  const { run, config } = about;
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [adapter, part] of stepper.parts) {
    const values = stepper.read(partName(adapter.weight, part));
    const heads = part === "b" ? headsOf(adapter, config) : null;
    const ordered = heads === null ? values : reorderRows(values, adapter.outputs, heads, true);
    tensors.set(peftName(adapter, part), f32Tensor(partSpec(adapter, run.rank, part).shape.slice(1), ordered));
  }
  const bytes = encodeSafetensors(tensors);
  const targets = [...new Set(stepper.options.adapters.map(({ target }) => target))];
  const peft = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: about.baseId,
    inference_mode: true,
    r: run.rank,
    lora_alpha: run.alpha,
    lora_dropout: run.dropout,
    use_rslora: run.rsLora,
    use_dora: false,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    target_modules: targets,
    layers_to_transform: run.layers,
    layers_pattern: run.layers === null ? null : "layers",
    modules_to_save: null,
    rank_pattern: {},
    alpha_pattern: {},
    starbox: { baseSha256: about.baseSha256, templateSha256: about.templateHash },
  };
  await fs.mkdir(folder, { recursive: true });
  await writeDurable(path.join(folder, "adapter_model.safetensors"), bytes);
  await writeDurable(path.join(folder, "adapter_config.json"), `${JSON.stringify(peft, null, 2)}\n`);
  return bytes;
}

/** llama.cpp multiplies by alpha / rank whatever rsLoRA says, so its strength goes into alpha. */
export const ggufAlpha = ({ alpha, rank, rsLora }: AdapterAbout["run"]): number => (rsLora ? alpha * Math.sqrt(rank) : alpha);

export async function writeGgufAdapter(file: string, stepper: Stepper, about: AdapterAbout): Promise<void> {
  const draft = `${file}.new`;
  await writeGguf(
    draft,
    {
      "general.type": { type: "string", value: "adapter" },
      "general.architecture": { type: "string", value: about.config.family },
      "general.name": { type: "string", value: about.baseId },
      "adapter.type": { type: "string", value: "lora" },
      "adapter.lora.alpha": { type: "f32", value: ggufAlpha(about.run) },
      "starbox.base.sha256": { type: "string", value: about.baseSha256 },
      "starbox.template.sha256": { type: "string", value: about.templateHash },
    },
    stepper.parts.map(([adapter, part]) => {
      const values = stepper.read(partName(adapter.weight, part));
      const shape = partSpec(adapter, about.run.rank, part).shape.slice(1).toReversed();
      return {
        name: partName(adapter.weight, part),
        shape,
        type: "f32" as const,
        data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      };
    }),
  );
  await fs.rename(draft, file);
}

const peftConfig = z.object({
  peft_type: z.literal("LORA"),
  r: z.int().min(1),
  lora_alpha: z.number(),
  use_rslora: z.boolean().default(false),
  use_dora: z.boolean().default(false),
  bias: z.string().default("none"),
  lora_bias: z.boolean().default(false),
  modules_to_save: z.array(z.string()).nullish(),
  rank_pattern: z.record(z.string(), z.unknown()).nullish(),
  alpha_pattern: z.record(z.string(), z.unknown()).nullish(),
  trainable_token_indices: z.unknown().optional(),
  fan_in_fan_out: z.boolean().default(false),
});

const refuse = (what: string): StarboxError =>
  new StarboxError("unsupported", `This adapter cannot be continued: ${what}.`, {
    hint: "Nothing is left out silently: train a new one, or merge it into its base first.",
    zh: { message: `无法在该适配器上继续训练：${what}。`, hint: "不会静默忽略任何设置：请新建训练，或先将其合并到底座。" },
  });

/** Puts a PEFT adapter's values in the place of fresh ones. What would not be applied is refused by name. */
export async function continueFromPeft(folder: string, stepper: Stepper, config: DecoderConfig, run: RunConfig): Promise<void> {
  const parsed = peftConfig.safeParse(JSON.parse(await fs.readFile(path.join(folder, "adapter_config.json"), "utf8")));
  if (!parsed.success) throw refuse(`its adapter_config.json is not LoRA's (${parsed.error.issues[0]?.path.join(".")})`);
  const peft = parsed.data;
  const set = (value: unknown): boolean => value !== undefined && value !== null && Object.keys(value as object).length > 0;
  if (peft.use_dora) throw refuse("it uses DoRA");
  if (set(peft.modules_to_save)) throw refuse(`it has modules_to_save (${peft.modules_to_save!.join(", ")})`);
  if (peft.bias !== "none" || peft.lora_bias) throw refuse("it trains biases");
  if (set(peft.rank_pattern) || set(peft.alpha_pattern)) throw refuse("its rank or alpha differs between modules");
  if (set(peft.trainable_token_indices)) throw refuse("it trains tokens of the vocabulary");
  if (peft.fan_in_fan_out) throw refuse("its weights are transposed (fan_in_fan_out)");
  if (peft.r !== run.rank || peft.lora_alpha !== run.alpha || peft.use_rslora !== run.rsLora)
    throw refuse(
      `its rank, alpha or rsLoRA are ${peft.r}, ${peft.lora_alpha}, ${peft.use_rslora}; run.json says ${run.rank}, ${run.alpha}, ${run.rsLora}`,
    );
  const { tensors } = await readSafetensors(path.join(folder, "adapter_model.safetensors"));
  const wanted = new Set(stepper.parts.map(([adapter, part]) => peftName(adapter, part)));
  const other = [...tensors.keys()].find((name) => !wanted.has(name));
  if (other !== undefined) throw refuse(`it holds "${other}", which this run does not train`);
  for (const [adapter, part] of stepper.parts) {
    const tensor = tensors.get(peftName(adapter, part));
    if (tensor === undefined) throw refuse(`it has no "${peftName(adapter, part)}"`);
    const values = f32Values(tensor, peftName(adapter, part));
    const heads = part === "b" ? headsOf(adapter, config) : null;
    stepper.write(partName(adapter.weight, part), heads === null ? values : reorderRows(values, adapter.outputs, heads, false));
  }
}
