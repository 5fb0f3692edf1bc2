/** @file `starbox train`: finds base and data set, runs the session, has llama.cpp check it, and puts the adapter among the models. */
import fs from "node:fs";
import fsp from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { newId, StarboxError } from "#base";
import type { Training, TrainingOptions, TrainLine } from "#contracts";
import { createModelStore, hashFile, logitsWithLlama, type ModelManifest, type ModelStore } from "#models";
import { parseRunConfig, type RunConfig, runDefaults, type ServedReport, Session, type SessionOptions } from "#train";

type Base = { readonly file: string; readonly manifest: ModelManifest | null };

/** A file's path, or the id of a model that is here. */
export function findBase(store: ModelStore, { base }: Pick<RunConfig, "base">, folder: string): Base {
  const file = path.resolve(folder, base);
  if (base.endsWith(".gguf") && fs.existsSync(file)) return { file, manifest: null };
  const manifest = store.find(base);
  if (manifest === undefined || manifest.kind !== "language") {
    throw new StarboxError("model_not_ready", `base: "${base}" is no language model on this machine, and no GGUF file.`, {
      hint: `starbox models pull ${base}`,
      zh: { message: `base：“${base}”不是本机上的语言模型，也不是 GGUF 文件。`, hint: `starbox models pull ${base}` },
    });
  }
  if (manifest.adapter !== undefined)
    throw new StarboxError("unsupported", `base: "${base}" is an adapter itself.`, {
      hint: `Train on "${manifest.adapter.base}" with continueFrom: the run's peft folder.`,
      zh: { message: `base：“${base}”本身是适配器。`, hint: `请以“${manifest.adapter.base}”为底座，并用 continueFrom 指定其 peft 目录。` },
    });
  return { file: store.filePath(manifest), manifest };
}

/** Linux counts a process's highest resident size itself. */
function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

async function* run(options: TrainingOptions): AsyncGenerator<TrainLine> {
  const since = performance.now();
  const config = parseRunConfig(options.run);
  const store = createModelStore(path.join(options.dataDir, "models"));
  const base = findBase(store, config, options.folder);
  const id = options.resume ?? newId("run");
  const folder = path.join(options.dataDir, "training", id);
  if (options.resume !== null && !fs.existsSync(folder))
    throw new StarboxError("not_found", `There is no run "${id}".`, {
      hint: `Runs lie in ${path.dirname(folder)}.`,
      zh: { message: `没有训练“${id}”。`, hint: `训练保存在 ${path.dirname(folder)}。` },
    });
  options.note(`run ${id}: ${JSON.stringify({ ...config, base: config.base })}`, `训练 ${id}：${JSON.stringify(config)}`);
  const continueFrom = config.continueFrom === null ? null : path.resolve(options.folder, config.continueFrom);
  const sessionOptions: SessionOptions = {
    run: { ...config, continueFrom },
    baseFile: base.file,
    datasetFile: path.resolve(options.folder, config.dataset),
    folder,
    signal: options.signal,
    note: options.note,
  };
  await using session = await Session.open(sessionOptions);
  yield session.data;
  yield { type: "estimate", ...(await session.estimate()) };
  if (options.estimate) return;
  await fsp.mkdir(folder, { recursive: true });
  await fsp.writeFile(path.join(folder, "run.json"), `${JSON.stringify(config, null, 2)}\n`);
  const metrics = await fsp.open(path.join(folder, "metrics.jsonl"), "a");
  try {
    const started = performance.now();
    const training = session.train();
    let next = await training.next();
    for (; next.done !== true; next = await training.next()) {
      await metrics.write(`${JSON.stringify(next.value)}\n`);
      yield next.value;
    }
    const outcome = next.value;
    const [trained, peak] = [(performance.now() - started) / 1000, peakBytes()];
    const exported = await session.export();
    yield exported;
    const served = await checkServed(session, base.file, exported.gguf, options.signal);
    yield { type: "served", ...served };
    const adapter =
      served.ok && base.manifest !== null ? await offer(store, base.manifest, exported.gguf, config.name ?? `${config.base}-${id.slice(-6)}`) : null;
    if (served.ok && base.manifest === null)
      options.note(
        "The base is a file outside the box: import it first to have adapters as models.",
        "底座是盒子外的文件：先导入后，适配器才能作为模型使用。",
      );
    yield {
      type: "done",
      run: id,
      adapter,
      sha256: exported.sha256,
      seconds: (performance.now() - since) / 1000,
      trainingSeconds: trained,
      peakBytes: peak,
      steps: outcome.steps,
      stoppedEarly: outcome.stoppedEarly,
      folder,
    };
  } finally {
    await metrics.close();
  }
}

async function checkServed(session: Session, baseFile: string, adapterFile: string, signal: AbortSignal): Promise<ServedReport> {
  const folder = await fsp.mkdtemp(path.join(os.tmpdir(), "starbox-same-"));
  const sameFile = path.join(folder, "same.gguf");
  try {
    await session.writeSameWeights(sameFile);
    return await session.compareWithServing(
      ({ texts, adapter, sameWeights }) =>
        logitsWithLlama(
          { file: sameWeights ? sameFile : baseFile, adapter: adapter ? adapterFile : null, texts, threads: session.device.threads },
          signal,
        ),
      signal,
    );
  } finally {
    await fsp.rm(folder, { recursive: true, force: true });
  }
}

async function offer(store: ModelStore, base: ModelManifest, adapterFile: string, id: string): Promise<string> {
  const copy = path.join(store.folder, `${path.basename(adapterFile)}.${process.pid}.part`);
  await fsp.copyFile(adapterFile, copy);
  await store.addAdapter(copy, { id, base, sha256: await hashFile(copy) });
  return id;
}

export const training: Training = { defaults: runDefaults, train: run };
