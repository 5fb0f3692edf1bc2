/** @file Real models for tests: pulled once a machine the way a box pulls them (a folder of files first, then their sources), shared by all test files. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { loadSettings, type Settings, silentLogger } from "#base";
import { createModels, type Models } from "#models";
import { testModelFolder } from "./start-box.ts";

export const testLanguageModel = "smollm2-135m-instruct";
export const testToolModel = "qwen2.5-coder-0.5b-instruct";
export const testEmbedder = "multilingual-e5-small";

export type TestModels = { readonly models: Models; readonly dataDir: string; close(): Promise<void> };

/** Models in a data folder of their own, the named ones on disk. `settings` as an operator would set them. */
export async function openTestModels(ids: readonly string[], settings: Partial<Settings> = {}): Promise<TestModels> {
  const folder = testModelFolder();
  fs.mkdirSync(folder, { recursive: true });
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-models-"));
  const models = createModels({ dataDir, settings: loadSettings({ modelFolder: folder, context: 2048, ...settings }), logger: silentLogger });
  for (const id of ids) {
    await models.pull(id);
    const { sha256 } = await models.waitFor(id);
    keep(path.join(dataDir, "models", `sha256-${sha256}.gguf`), path.join(folder, `${id}.gguf`));
  }
  return {
    models,
    dataDir,
    async close() {
      await models.close();
      fs.rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function keep(file: string, target: string): void {
  if (fs.existsSync(target)) return;
  const draft = `${target}.${process.pid}`;
  fs.copyFileSync(file, draft, fs.constants.COPYFILE_FICLONE);
  fs.renameSync(draft, target); // whole or not at all: another test file may be looking
}
