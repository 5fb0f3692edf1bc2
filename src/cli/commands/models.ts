/** @file `starbox models …`: catalogue and local models. */
import path from "node:path";
import type { Command } from "commander";
import { StarboxError } from "#base";
import type { ModelInfo, ModelsService } from "#contracts";
import { type Cli, withBox } from "../cli.ts";
import { duration, size, type Terminal, table } from "../terminal.ts";
import type { Builder } from "./builder.ts";
import { benchModel } from "./models-bench.ts";

export function addModels(program: Command, builder: Builder): void {
  const models = builder.add(
    "models",
    ["list, pull, import, check, remove and measure models", "查看、下载、导入、校验、删除与测速模型"],
    ["starbox models list", "starbox models pull multilingual-e5-small", "starbox models import /mnt/usb/model.gguf"],
  );
  addFetching(models, builder);
  addCare(models, builder);
  program.addCommand(models);
}

const idText = ["the model's id, from: starbox models list", "模型标识，见 starbox models list"] as const;

function addFetching(models: Command, { add, t, run }: Builder): void {
  models.addCommand(
    add(
      "list",
      ["every model of the catalogue and of this box", "目录中与本机的全部模型"],
      ["starbox models list", "starbox models list --json"],
    ).action(async () => {
      await run(async (cli) => {
        const list = await withBox(cli, async ({ services }) => await services.models.list());
        if (cli.terminal.json) for (const model of list) cli.terminal.result(model, "");
        else cli.terminal.result(null, listText(list, cli.terminal));
      });
    }),
  );
  models.addCommand(
    add(
      "pull",
      ["fetch a model; resumes where it was cut", "下载模型，中断后可续传"],
      ["starbox models pull multilingual-e5-small", "starbox models pull qwen2.5-coder-0.5b-instruct"],
    )
      .argument("<ID>", t(...idText))
      .action(async (modelId: string) => {
        await run(async (cli) => {
          const model = await withBox(cli, async ({ services }) => await pullModel(services.models, modelId, cli));
          cli.terminal.result(
            model,
            cli.terminal.text(`${model.id} is ready (${size(model.sizeBytes)}).`, `${model.id} 已就绪（${size(model.sizeBytes)}）。`),
          );
        });
      }),
  );
  models.addCommand(
    add(
      "import",
      ["take a GGUF file from disk or USB", "从磁盘或 U 盘导入 GGUF 文件"],
      ["starbox models import /mnt/usb/qwen3-8b-q4_k_m.gguf", "starbox models import ./my-model.gguf --id my-model"],
    )
      .argument("<PATH>", t("a .gguf file", ".gguf 文件"))
      .option("--id <ID>", t("the id it gets (default: from the file's name)", "导入后的标识（默认取自文件名）"))
      .action(async (file: string, flags: { id?: string }) => {
        await run(async (cli) => {
          const model = await withBox(cli, async ({ services }) => await services.models.import(path.resolve(file), flags.id));
          cli.terminal.result(
            model,
            cli.terminal.text(`Imported as ${model.id} (${size(model.sizeBytes)}).`, `已导入为 ${model.id}（${size(model.sizeBytes)}）。`),
          );
        });
      }),
  );
}

/** Checking, removing and measuring what is here. */
function addCare(models: Command, { add, t, run }: Builder): void {
  models.addCommand(
    add("verify", ["hash a model's file and compare", "计算模型文件的哈希并比对"], ["starbox models verify multilingual-e5-small"])
      .argument("<ID>", t(...idText))
      .action(async (modelId: string) => {
        await run(async (cli) => {
          const result = await withBox(cli, async ({ services }) => await services.models.verify(modelId));
          cli.terminal.result(result, result.ok ? cli.terminal.text(`${modelId}: intact`, `${modelId}：完好`) : "");
          if (result.ok) return 0;
          throw new StarboxError(
            "model_hash_mismatch",
            `${modelId}: expected sha256 ${result.expected ?? "?"}, found ${result.found ?? "no file"}.`,
            {
              hint: `Remove it and pull it again: starbox models remove ${modelId}; starbox models pull ${modelId}.`,
              zh: {
                message: `${modelId}：应为 sha256 ${result.expected ?? "?"}，实为 ${result.found ?? "无文件"}。`,
                hint: `请删除后重新下载：starbox models remove ${modelId}，再 starbox models pull ${modelId}。`,
              },
            },
          );
        });
      }),
  );
  models.addCommand(
    add(
      "remove",
      ["delete a model's file; refused while in use", "删除模型文件，使用中会被拒绝"],
      ["starbox models remove qwen2.5-coder-0.5b-instruct"],
    )
      .argument("<ID>", t(...idText))
      .action(async (modelId: string) => {
        await run(async (cli) => {
          const left = await withBox(cli, async ({ services }) => {
            await services.models.remove(modelId);
            return (await services.models.list()).find((model) => model.id === modelId);
          });
          cli.terminal.result(left ?? { id: modelId, state: "removed" }, cli.terminal.text(`${modelId} is removed.`, `${modelId} 已删除。`));
        });
      }),
  );
  models.addCommand(
    add("bench", ["measure a model on this machine", "在本机上测量模型速度"], ["starbox models bench qwen2.5-coder-0.5b-instruct"])
      .argument("<ID>", t(...idText))
      .action(async (modelId: string) => {
        await run(async (cli) => await withBox(cli, async ({ services }) => await benchModel(services.models, modelId, cli)));
      }),
  );
}

/** Pulls (or joins a pull) with a bar, until the model is on disk and checked. */
export async function pullModel(models: ModelsService, id: string, { terminal, signal }: Pick<Cli, "terminal" | "signal">): Promise<ModelInfo> {
  const first = await models.pull(id);
  if (first.state === "ready" || first.state === "loaded") return first;
  const progress = terminal.progress(id);
  const onAbort = (): void => void models.cancelPull(id).catch(() => undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = setInterval(() => {
    void models.list().then(
      (list) => {
        const model = list.find((item) => item.id === id);
        if (model?.progress === undefined) return;
        const { receivedBytes, totalBytes, bytesPerSecond, source } = model.progress;
        progress.update(receivedBytes, totalBytes, `${size(receivedBytes)} · ${size(bytesPerSecond)}/s · ${source}`, model.progress.etaSeconds);
      },
      () => undefined, // the wait below reports what is wrong
    );
  }, 300);
  try {
    return await models.waitFor(id, signal);
  } finally {
    clearInterval(timer);
    signal.removeEventListener("abort", onAbort);
    progress.end();
  }
}

function listText(list: readonly ModelInfo[], terminal: Terminal): string {
  const states: Readonly<Record<ModelInfo["state"], readonly [string, string]>> = {
    available: ["can be pulled", "可下载"],
    pulling: ["pulling", "下载中"],
    ready: ["ready", "已就绪"],
    loaded: ["in memory", "已载入"],
    failed: ["failed", "失败"],
  };
  const kinds: Readonly<Record<ModelInfo["kind"], readonly [string, string]>> = {
    language: ["language", "语言"],
    embedding: ["embedding", "向量"],
    reranker: ["reranker", "重排"],
  };
  const rows = list.map((model) => {
    const state =
      model.progress === undefined
        ? terminal.text(...states[model.state])
        : `${terminal.text(...states[model.state])} ${size(model.progress.receivedBytes)}${model.progress.etaSeconds === null ? "" : ` (${duration(model.progress.etaSeconds)})`}`;
    return [`${model.isDefault ? "*" : " "} ${model.id}`, terminal.text(...kinds[model.kind]), state, size(model.sizeBytes), model.licence];
  });
  return table(rows);
}
