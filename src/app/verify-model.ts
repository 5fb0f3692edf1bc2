/** @file `starbox ops verify --model`: can it run, is it the same network, how fast; on opened devices, beside llama.cpp and PyTorch's golden values. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import {
  type AlignmentReport,
  canRun,
  compareGolden,
  compareNetwork,
  distance,
  findGolden,
  type Golden,
  type GoldenRow,
  logitDistance,
  measureSpeed,
  type NetworkResult,
  type OpenModel,
  openModel,
  type StageResult,
  sampleIds,
  stageProgram,
} from "#alignment";
import { StarboxError } from "#base";
import { CpuDevice, type Device } from "#compute";
import type { OperatorsOptions, OperatorVerifyRow } from "#contracts";
import { computeWithLlama } from "#models";
import { modelStages } from "#nn";

const tokens = 8;
/** A fingerprint's error over its row's norm: both sides sum in float32, PyTorch in its own order, layer upon layer. */
const goldenLimit = 1e-3;
/** llama.cpp rounds activations of products with quantised weights to 8 bits: measured 0.003 to 0.01 on the catalogue's models. */
const llamaKlLimit = 0.05;

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of fs.createReadStream(file, { highWaterMark: 1 << 22 })) hash.update(part as Buffer);
  return hash.digest("hex");
}

export type ModelReport = Pick<AlignmentReport, "model" | "canRun" | "networks">;

/** Yields rows as they are known; answers the report's part. */
export async function* verifyModel(
  file: string,
  devices: readonly Device[],
  threads: number,
  options: OperatorsOptions,
): AsyncGenerator<OperatorVerifyRow, ModelReport> {
  const { signal, note } = options;
  await using model = await openModel(file);
  const programs = modelStages(model.config).map((stage) => stageProgram(model, stage, tokens, stage.name.startsWith("blk.")));
  const matrix = canRun(programs, devices);
  const unable = new Set<string>();
  for (const row of matrix)
    for (const { name } of devices) {
      const { kernel, reason } = row.devices[name]!;
      const ok = kernel !== null || row.pass === "bwd";
      if (!ok) unable.add(name);
      const why = kernel === null ? { reason: `${row.pass === "bwd" ? "backward: " : ""}${reason}` } : {};
      yield {
        op: row.op,
        device: name,
        dtype: row.types,
        shape: `${row.shape} ${row.count}×`,
        pass: "run",
        ok,
        metric: "-",
        value: null,
        threshold: null,
        ...why,
      };
    }
  const networks: AlignmentReport["networks"][number][] = [];
  const sha256 = await hashOf(file);
  const ids = sampleIds(model.config.vocabulary, tokens);
  const llama = devices.some(({ name }) => !unable.has(name)) ? await askLlama(model, file, ids, threads, signal) : null;
  for (const device of devices) {
    if (unable.has(device.name)) continue; // the rows above say what is missing
    const found: StageResult[] = [];
    const network = await compareNetwork(model, device, {
      ids,
      signal,
      progress: (result, done, all) => {
        found.push(result);
        note(`${device.name}: ${result.stage} (${done}/${all})`, `${device.name}：${result.stage}（${done}/${all}）`);
      },
    });
    for (const stage of found) yield* stageRows(device.name, stage);
    const part = compareWithOthers(model, network, llama, sha256);
    yield* otherRows(device.name, part);
    const speed = await measureSpeed(model, device, {
      int8: device instanceof CpuDevice ? [false, true] : [false],
      probe: (what) => (device instanceof CpuDevice ? device.probe(what, 0.3) : null),
      signal,
    });
    for (const row of speed)
      yield {
        op: row.what,
        device: device.name,
        dtype: row.int8 ? "int8 activations" : "f32 activations",
        shape: `${row.tokens} tokens`,
        pass: "speed",
        ok: true,
        metric: "tokens/s",
        value: row.tokensPerSecond,
        threshold: null,
        ...(row.share === null
          ? {}
          : { reason: `${row.rate.toFixed(1)} ${row.unit}, ${(row.share * 100).toFixed(0)} % of ${row.limit!.toFixed(1)}` }),
      };
    networks.push({ ...part, speed });
  }
  return { model: { file, sha256, family: model.config.family }, canRun: matrix, networks };
}

function* stageRows(device: string, stage: StageResult): Generator<OperatorVerifyRow> {
  const row = { op: stage.stage, device, dtype: stage.precision, shape: `${tokens} tokens`, metric: "error of largest" } as const;
  yield { ...row, pass: "fwd", ok: stage.ok, value: stage.forward.relative, threshold: stage.limit, ...(stage.ok ? {} : { reason: stage.problem }) };
  if (stage.backward !== null) yield { ...row, pass: "bwd", ok: stage.ok, value: stage.backward.relative, threshold: stage.limit * 4 };
}

type Llama = Awaited<ReturnType<typeof computeWithLlama>> | { readonly missing: string };

async function askLlama(model: OpenModel, file: string, ids: Int32Array, threads: number, signal: AbortSignal): Promise<Llama> {
  try {
    return await computeWithLlama({ file, ids, threads, greedy: 0, pooled: model.config.kind === "encoder" }, signal);
  } catch (error) {
    if (!StarboxError.is(error, "engine_failed")) throw error;
    return { missing: error.message };
  }
}

type LlamaErrors = ReadonlyMap<string, number>;

/** llama.cpp's own distance from PyTorch, stage by stage: it rounds activations to 8 bits, too. */
function llamaErrors(golden: Golden, llama: Llama | null): LlamaErrors {
  if (llama === null || "missing" in llama) return new Map();
  const rows = new Map(
    Object.entries({ ...llama.stages, ...(llama.logits === null ? {} : { logits: llama.logits }) }).map(([stage, values]) => [
      stage,
      Float64Array.from(values),
    ]),
  );
  return new Map(compareGolden(golden, rows).map(({ stage, error }) => [stage, error]));
}

/** A device that computes in f32 is held to PyTorch; one that rounds activations to 8 bits as llama.cpp does, to twice llama.cpp's own distance from PyTorch on this file. */
function goldenRows(rows: readonly GoldenRow[], llama: LlamaErrors | null) {
  return rows.map((row) => {
    const theirs = llama?.get(row.stage);
    if (theirs === undefined) return { ...row, limit: goldenLimit };
    return { ...row, limit: Math.max(goldenLimit, 2 * theirs), why: `activations in 8 bits: llama.cpp itself is off by ${theirs.toPrecision(3)}` };
  });
}

type Part = Omit<AlignmentReport["networks"][number], "speed">;

function compareWithOthers(model: OpenModel, network: NetworkResult, llama: Llama | null, sha256: string): Part {
  const rows = network.rows;
  const golden = findGolden(sha256);
  const same = golden !== null && golden.ids.join() === network.ids.join();
  const logits = rows.get("logits");
  const rounded = network.stages.some(({ precision }) => precision === "int8");
  return {
    device: network.device,
    ids: network.ids,
    stages: network.stages,
    firstDiverging: network.firstDiverging?.problem ?? null,
    logits: network.logits,
    llama:
      llama === null || "missing" in llama
        ? (llama ?? { missing: "not asked" })
        : {
            stages: Object.entries(llama.stages).flatMap(([stage, values]) => {
              const ours = rows.get(stage);
              return ours === undefined ? [] : [{ stage, error: distance(values, ours.got).relative, cosine: distance(values, ours.got).cosine }];
            }),
            logits: logits === undefined || llama.logits === null ? null : logitDistance(llama.logits, logits.got, model.config.vocabulary),
          },
    golden: same
      ? {
          by: golden.by,
          rows: goldenRows(
            compareGolden(golden, new Map([...rows].map(([stage, { got }]) => [stage, got]))),
            rounded ? llamaErrors(golden, llama) : null,
          ),
        }
      : { missing: "no golden values are kept for this file (scripts/golden/models.py makes them)" },
  };
}

function* otherRows(device: string, { golden, llama, logits }: Part): Generator<OperatorVerifyRow> {
  const row = { device, dtype: "-", shape: `${tokens} tokens`, pass: "network" } as const;
  if (logits !== null) {
    const words = `argmax ${logits.agree}/${logits.tokens}, cosine ${logits.cosine.toFixed(8)}`;
    yield { ...row, op: "logits against float64", ok: logits.wrong === 0, metric: "KL", value: logits.kl, threshold: null, reason: words };
  }
  if ("missing" in golden) yield { ...row, op: "PyTorch", ok: true, metric: "-", value: null, threshold: null, reason: golden.missing };
  else
    for (const { stage, error, limit, why } of golden.rows)
      yield {
        ...row,
        op: `${stage} against PyTorch`,
        ok: error <= limit,
        metric: "error of norm",
        value: error,
        threshold: limit,
        ...(why === undefined ? {} : { reason: why }),
      };
  if ("missing" in llama) yield { ...row, op: "llama.cpp", ok: true, metric: "-", value: null, threshold: null, reason: llama.missing };
  else {
    for (const { stage, error, cosine } of llama.stages)
      yield {
        ...row,
        op: `${stage} against llama.cpp`,
        ok: cosine > 0.99,
        metric: "cosine",
        value: cosine,
        threshold: null,
        reason: `${error.toPrecision(3)} of the largest value`,
      };
    if (llama.logits !== null) {
      const { kl, agree, tokens: all } = llama.logits;
      yield {
        ...row,
        op: "logits against llama.cpp",
        ok: kl <= llamaKlLimit,
        metric: "KL",
        value: kl,
        threshold: llamaKlLimit,
        reason: `argmax ${agree}/${all}`,
      };
    }
  }
}
