/** @file `starbox bench train`: 60 labelled consultations over three seeds (seconds and held-out accuracy), and tokens a second of a LoRA step of 512 tokens, by turns with PyTorch + PEFT. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { StarboxError } from "#base";
import { type Consultations, makeConsultations } from "#bench";
import type { BenchOptions } from "#cli";
import type { BenchRow } from "#contracts";
import { createModelStore } from "#models";
import { batchAt, type Example, learningRateAt, packExamples, parseRunConfig, type RunConfig, rightAnswers, Session } from "#train";
import { type PeerRow, startTrainPeer, type TrainPeer, writePeerModel } from "./train-peer.ts";
import { findBase } from "./training.ts";

type Measured = Omit<BenchRow, "name" | "machine" | "commit">;
type Spread = BenchRow["starbox"];

const baseId = "qwen2.5-coder-0.5b-instruct";

const spread = (values: readonly number[], digits = 3): Spread => {
  const sorted = values.toSorted((a, b) => a - b);
  const round = (value: number): number => Number(value.toFixed(digits));
  return { min: round(sorted[0]!), median: round(sorted[Math.floor(sorted.length / 2)]!), max: round(sorted.at(-1)!) };
};
const rowOf = ({ ids, weights }: Example): PeerRow => ({ ids: [...ids], weights: [...weights] });

/** Wilson's interval of a share, 95 %. */
function wilson(right: number, count: number): readonly [number, number] {
  const [z, p] = [1.96, right / count];
  const [middle, half] = [p + (z * z) / (2 * count), z * Math.sqrt((p * (1 - p)) / count + (z * z) / (4 * count * count))];
  const scale = 1 + (z * z) / count;
  return [(middle - half) / scale, (middle + half) / scale];
}

type Opened = { readonly session: Session; readonly heldOut: readonly Example[] };

async function openSession(options: BenchOptions, run: RunConfig, rows: Consultations, folder: string): Promise<Opened> {
  const store = createModelStore(path.join(options.settings.data, "models"));
  const datasetFile = path.join(folder, "rows.jsonl");
  fs.writeFileSync(datasetFile, rows.training.map((row) => JSON.stringify(row)).join("\n"));
  const { file } = findBase(store, run, folder);
  const session = await Session.open({ run, baseFile: file, datasetFile, folder, signal: options.signal, note: options.note });
  const encode = (row: Consultations["heldOut"][number]): Example =>
    session.encoder.encode({ kind: "messages", messages: row.messages, learn: [true, true, true] }, run);
  return { session, heldOut: rows.heldOut.map(encode) };
}

async function openPeer(options: BenchOptions, session: Session, run: RunConfig, folder: string): Promise<TrainPeer | null> {
  const python = options.peers["torch"];
  if (python === undefined) return null;
  const stepper = await session.stepper();
  const metadata = Object.fromEntries([...session.model.source.metadata].filter(([key]) => !key.startsWith("tokenizer.")));
  const model = path.join(folder, "peer");
  await writePeerModel(model, { ...metadata, vocabulary: session.model.config.vocabulary }, session.stepOptions.tensors, async (name) =>
    stepper.weight(name),
  );
  const targets = [...new Set(session.stepOptions.adapters.map(({ target }) => target))];
  const peer = await startTrainPeer(python, {
    folder: model,
    threads: session.device.threads,
    rank: run.rank,
    alpha: run.alpha,
    targets,
    learningRate: run.learningRate,
  });
  options.note(`peer: ${peer.about}`, `对比程序：${peer.about}`);
  return peer;
}

/** Every batch with its learning rate, as the trainer has them. */
function batchesOf(session: Session, run: RunConfig): { readonly rows: readonly PeerRow[]; readonly rate: number }[] {
  const { training } = session.set;
  const total = Math.ceil(training.length / run.batch) * run.epochs;
  return Array.from({ length: total }, (_, i) => ({
    rows: batchAt(i + 1, training.length, run.batch, run.seed).map((index) => rowOf(training[index]!)),
    rate: learningRateAt(run, i + 1, total),
  }));
}

const settings = { base: baseId, dataset: "rows.jsonl", rank: 16, alpha: 32, learningRate: 4e-4, epochs: 5, batch: 4 };

/** Seconds from the first batch to the last update, base loaded; accuracy by whether greedy decoding would give exactly the label. */
export async function* benchConsultations(options: BenchOptions, data: string): AsyncGenerator<Measured> {
  const rows = makeConsultations(data);
  const seeds = options.long ? [0, 1, 2] : [0];
  const found = { seconds: [] as number[], right: [] as number[], peerSeconds: [] as number[], peerRight: [] as number[], before: 0 };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-bench-train-"));
  let peer: TrainPeer | null = null;
  let heldOutCount = 0;
  try {
    for (const seed of seeds) {
      const run = parseRunConfig({ ...settings, seed });
      const { session, heldOut } = await openSession(options, run, rows, folder);
      await using _open = session;
      heldOutCount = heldOut.length;
      const stepper = await session.stepper();
      if (seed === seeds[0]) {
        peer = await openPeer(options, session, run, folder);
        found.before = (await rightAnswers(stepper, heldOut, options.signal)).right;
      }
      const since = performance.now();
      const training = session.train({ checkpoints: false });
      for (let next = await training.next(); next.done !== true; next = await training.next())
        if (next.value.type === "packing")
          options.note(`packing ${next.value.packing}: ${next.value.why}`, `打包 ${next.value.packing}：${next.value.why}`);
      found.seconds.push((performance.now() - since) / 1000);
      found.right.push((await rightAnswers(stepper, heldOut, options.signal)).right);
      options.note(
        `seed ${seed}: ${found.seconds.at(-1)!.toFixed(1)} s, ${found.right.at(-1)} of ${heldOut.length} right`,
        `种子 ${seed}：${found.seconds.at(-1)!.toFixed(1)} 秒，${found.right.at(-1)}/${heldOut.length} 正确`,
      );
      if (peer !== null) {
        const answer = await peer.ask({ do: "run", seed, batches: batchesOf(session, run), heldOut: heldOut.map(rowOf) });
        found.peerSeconds.push(answer.seconds);
        found.peerRight.push(answer.right ?? 0);
      }
    }
  } finally {
    await peer?.[Symbol.asyncDispose]();
    fs.rmSync(folder, { recursive: true, force: true });
  }
  const withPeer = found.peerSeconds.length > 0;
  yield {
    case: `60 consultations, 5 epochs, r 16, batch 4, ${seeds.length} seeds`,
    unit: "s",
    starbox: spread(found.seconds, 1),
    ...(withPeer
      ? {
          peers: { torch: spread(found.peerSeconds, 1) },
          ratio: {
            torch: spread(
              found.seconds.map((s, i) => found.peerSeconds[i]! / s),
              2,
            ),
          },
        }
      : {}),
  };
  const [low, high] = wilson(
    found.right.reduce((a, b) => a + b, 0),
    heldOutCount * seeds.length,
  );
  yield {
    case: `held-out accuracy (before: ${(found.before / heldOutCount).toFixed(2)}; 95 % interval ${low.toFixed(2)}–${high.toFixed(2)})`,
    unit: "share",
    starbox: spread(found.right.map((right) => right / heldOutCount)),
    ...(withPeer ? { peers: { torch: spread(found.peerRight.map((right) => right / heldOutCount)) } } : {}),
  };
}

/** LoRA r 8 on all linear layers, one text of 512 tokens, all supervised: whole steps, by turns. */
export async function* benchStep(options: BenchOptions, data: string): AsyncGenerator<Measured> {
  const rows = makeConsultations(data);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-bench-train-"));
  const run = parseRunConfig({ ...settings, rank: 8, alpha: 16 });
  const { session } = await openSession(options, run, rows, folder);
  let peer: TrainPeer | null = null;
  try {
    const stepper = await session.stepper();
    peer = await openPeer(options, session, run, folder);
    const ids = Int32Array.from(session.set.training.flatMap((example) => [...example.ids]).slice(0, 512));
    if (ids.length < 512) throw new StarboxError("internal", "The consultations are shorter than 512 tokens.");
    const example: Example = { ids, weights: Float32Array.from(ids, (_, i) => (i === 0 ? 0 : 1)) };
    const packed = [packExamples([example], false)];
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let round = 0; round <= (options.long ? 7 : 3); round++) {
      const since = performance.now();
      await stepper.step(packed, { a: run.learningRate, b: run.learningRate }, round + 1, 0, options.signal);
      const seconds = (performance.now() - since) / 1000;
      const answer = await peer?.ask({ do: "step", rows: [rowOf(example)], rate: run.learningRate });
      if (round === 0) continue; // packs weights, touches every page
      ours.push(512 / seconds);
      if (answer !== undefined) theirs.push(512 / answer.seconds);
    }
    yield {
      case: "0.5B LoRA r 8, T 512, a whole step",
      unit: "tok/s",
      starbox: spread(ours, 1),
      ...(theirs.length === 0
        ? {}
        : {
            peers: { torch: spread(theirs, 1) },
            ratio: {
              torch: spread(
                ours.map((value, i) => value / theirs[i]!),
                2,
              ),
            },
          }),
    };
  } finally {
    await peer?.[Symbol.asyncDispose]();
    await session[Symbol.asyncDispose]();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
