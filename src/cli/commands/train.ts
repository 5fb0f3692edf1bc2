/** @file `starbox train RUN.json`: a training run in this terminal: estimate, steps, adapter. */
import fs from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { StarboxError } from "#base";
import type { TrainLine } from "#contracts";
import type { Cli } from "../cli.ts";
import type { Builder } from "./builder.ts";

type Flags = { readonly estimate?: boolean; readonly resume?: string };

export function addTrain(program: Command, { add, t, run }: Builder): void {
  const command = add(
    "train",
    ["train an adapter on a model of this box", "在本机模型上训练适配器"],
    ["starbox train run.json", "starbox train run.json --estimate", "starbox train run.json --resume run_0abc --json"],
  )
    .argument("<RUN.json>", t("what to train: base, dataset and settings", "训练内容：base、dataset 及各项设置"))
    .option("--estimate", t("only say how much memory and time it needs", "仅估算所需内存与时间"))
    .option("--resume <RUN>", t("go on with a run that was stopped", "继续被中断的训练"))
    .action(async (file: string, flags: Flags) => {
      await run(async (cli) => await train(cli, file, flags));
    });
  command.addHelpText("after", () => `\n${t("RUN.json (base and dataset are required):", "RUN.json（base 与 dataset 必填）：")}\n${runHelp}`);
  program.addCommand(command);
}

/** A file that runs; the trainer's own table is checked against it in a test. */
export const runHelp = `  {"base": "qwen2.5-coder-0.5b-instruct", "dataset": "rows.jsonl", "name": null, "recipe": "lora",
   "rank": 16, "alpha": null, "rsLora": false, "targets": "all-linear", "layers": null, "dropout": 0, "loraPlus": 1,
   "learningRate": 0.0002, "schedule": "linear", "warmup": 0.1, "weightDecay": 0, "clip": 1, "epochs": 3,
   "batch": 4, "batchTokens": 2048, "cutoff": 2048, "trainOnPrompt": false, "maskHistory": false, "packing": "auto",
   "seed": 0, "threads": 0, "validation": 0, "validateEvery": 0, "patience": 0, "checkpointEvery": 0,
   "baseType": "bf16", "activations": "auto", "continueFrom": null}`;

function readRun(file: string): unknown {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch (cause) {
    throw new StarboxError("file_unreadable", `${file} cannot be read as JSON: ${(cause as Error).message}.`, {
      hint: "`starbox train --help` shows one that runs.",
      cause,
      zh: { message: `无法将 ${file} 读取为 JSON。`, hint: "`starbox train --help` 给出可运行的示例。" },
    });
  }
}

async function train({ parts, settings, terminal, signal }: Cli, file: string, flags: Flags): Promise<number> {
  const training = await parts.training();
  const progress = terminal.progress(terminal.text("training", "训练"));
  let offered = true;
  try {
    const lines = training.train({
      dataDir: settings.data,
      run: readRun(file),
      folder: path.dirname(path.resolve(file)),
      estimate: flags.estimate ?? false,
      resume: flags.resume ?? null,
      signal,
      note: terminal.note,
    });
    for await (const line of lines) {
      if (line.type === "step")
        progress.update(line.step, line.steps, `loss ${line.loss.toFixed(4)}, ${line.tokensPerSecond.toFixed(0)} tok/s`, line.etaSeconds);
      if (line.type === "served") offered = line.ok;
      terminal.result(line, sentence(line, terminal.text));
    }
  } finally {
    progress.end();
  }
  return offered ? 0 : 1;
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

function sentence(line: TrainLine, text: (english: string, chinese: string) => string): string {
  switch (line.type) {
    case "data":
      return text(
        `${line.rows} rows (${line.validation} held back), ${line.tokens} tokens, ${line.learned} learned`,
        `${line.rows} 行（另留 ${line.validation} 行验证），${line.tokens} 个 token，其中学习 ${line.learned} 个`,
      );
    case "estimate":
      return text(
        `estimate: ${gib(line.memoryBytes)}, ${line.seconds.toFixed(0)} s for ${line.steps} steps`,
        `估算：内存 ${gib(line.memoryBytes)}，${line.steps} 步约 ${line.seconds.toFixed(0)} 秒`,
      );
    case "packing":
      return text(
        `packing: ${line.packing} (${line.why}): ${line.rows} rows for ${line.tokens} tokens, ${line.learned} learned, ${line.microBatches} micro-batches an epoch`,
        `打包方式：${line.packing}（${line.why}）：每轮 ${line.tokens} 个 token 只算 ${line.rows} 行，学习 ${line.learned} 个，共 ${line.microBatches} 个微批`,
      );
    case "step":
      return "";
    case "validation":
      return text(
        `step ${line.step}: validation loss ${line.loss.toFixed(4)}${line.best ? ", the best so far" : ""}`,
        `第 ${line.step} 步：验证损失 ${line.loss.toFixed(4)}${line.best ? "，目前最优" : ""}`,
      );
    case "export":
      return text(`adapter: ${line.peft} (PEFT), ${line.gguf} (GGUF)`, `适配器：${line.peft}（PEFT）、${line.gguf}（GGUF）`);
    case "served":
      return text(
        `trained = served: ${line.ok ? "yes" : "NO"}: mean |Δlogp| ${line.meanLogprobDifference.toExponential(1)} ≤ ${line.meanLogprobLimit}; KL ${line.servedKl.toFixed(4)} ≤ ${line.servedKlLimit.toFixed(4)} (bare base ${line.bareKl.toFixed(4)})`,
        `训练与服务一致：${line.ok ? "是" : "否"}：平均 |Δlogp| ${line.meanLogprobDifference.toExponential(1)} ≤ ${line.meanLogprobLimit}；KL ${line.servedKl.toFixed(4)} ≤ ${line.servedKlLimit.toFixed(4)}（底座自身 ${line.bareKl.toFixed(4)}）`,
      );
    case "done":
      return text(
        `${line.adapter === null ? "not offered as a model" : `model ${line.adapter}`}: ${line.steps} steps, ${line.seconds.toFixed(1)} s, peak ${gib(line.peakBytes)}`,
        `${line.adapter === null ? "未作为模型提供" : `模型 ${line.adapter}`}：${line.steps} 步，${line.seconds.toFixed(1)} 秒，内存峰值 ${gib(line.peakBytes)}`,
      );
    default:
      return line satisfies never;
  }
}
