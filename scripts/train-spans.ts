/**
 * @file Makes `src/knowledge/answer/span-weights.ts`, the network that scores candidate answers, and fits the refusal rule, from public reading-comprehension
 * questions found through a box's own search. Usage: node --conditions=starbox-source scripts/train-spans.ts DATA_FOLDER (a data folder with an embedder).
 */
import fs from "node:fs";
import path from "node:path";
import { loadSettings } from "#base";
import type { Actor, RetrieveHit } from "#contracts";
import { openBox } from "../src/app/open-box.ts";
import { partOf } from "../src/bench/drcd-split.ts";
import { fill } from "../src/bench/retrieve.ts";
import { likeness } from "../src/knowledge/answer/choose.ts";
import { readEvidence } from "../src/knowledge/answer/evidence.ts";
import { readQuestion } from "../src/knowledge/answer/question.ts";
import { refusalSigns, type Signs } from "../src/knowledge/answer/refusal.ts";
import { scoreSpans } from "../src/knowledge/answer/span-model.ts";
import { featureCount, spanFeatures } from "../src/knowledge/answer/spans.ts";
import { devData } from "../test/dev-data.ts";

type Paragraph = {
  readonly id: string;
  readonly context: string;
  readonly qas: readonly { readonly question: string; readonly answers: readonly { readonly text: string }[] }[];
};
type Asked = {
  readonly question: string;
  readonly golds: readonly string[];
  readonly own: string;
  readonly part: string;
  hits: readonly RetrieveHit[];
};
type Example = { readonly rows: readonly Float32Array[]; readonly rewards: Float32Array };

const operator: Actor = { personId: null, name: "train", role: "operator" };
/** Three small networks from different seeds, joined into one: their mean. */
const seeds = [9, 10, 11];
const hidden = 16;
const epochs = 6;
const decay = 1e-3;
const leak = 0.05;
const at = { bias: featureCount * hidden, out: featureCount * hidden + hidden, linear: featureCount * hidden + 2 * hidden };
const weightsFile = path.join(import.meta.dirname, "../src/knowledge/answer/span-weights.ts");

const dataDir = process.argv[2];
const drcdFile = devData("drcd/DRCD_dev.json");
if (dataDir === undefined || drcdFile === null)
  throw new Error("Usage: train-spans.ts DATA_FOLDER, with development data at hand (STARBOX_DEV_DATA).");
const asked = await search(dataDir, drcdFile);
if (process.argv[3] !== "--refusal-only") trainSpans(asked.filter((one) => one.part === "train"));
else fitRefusal(asked.filter((one) => one.part === "thresholds"));
if (process.argv[3] !== "--refusal-only") console.log("Now run again with --refusal-only: the rule is fitted over the new network.");
process.exit(0);

/** Every question's hits, found once and kept in the data folder's tmp. */
async function search(folder: string, file: string): Promise<Asked[]> {
  const { data } = JSON.parse(fs.readFileSync(file, "utf8")) as { data: readonly { id: string; paragraphs: readonly Paragraph[] }[] };
  const all = data.flatMap((article) =>
    article.paragraphs.flatMap((p) =>
      p.qas.map(
        (qa): Asked => ({ question: qa.question, golds: qa.answers.map((a) => a.text), own: `${p.id}.txt`, part: partOf(article.id), hits: [] }),
      ),
    ),
  );
  const wanted = all.filter((one) => one.part !== "report");
  const cache = path.join(folder, "tmp", "train-spans.json");
  if (fs.existsSync(cache)) {
    const hits = JSON.parse(fs.readFileSync(cache, "utf8")) as RetrieveHit[][];
    for (const [i, one] of wanted.entries()) one.hits = hits[i] ?? [];
    return wanted;
  }
  const box = openBox(loadSettings({ data: folder }), { serving: false });
  await box.start();
  const files = data
    .flatMap((article) => article.paragraphs)
    .map((p) => ({ path: `${p.id}.txt`, content: { bytes: new TextEncoder().encode(p.context) } }));
  const kbId = await fill({ services: box.services, signal: new AbortController().signal, note: console.error }, "bench-drcd", files);
  for (const [i, one] of wanted.entries()) {
    one.hits = (await box.services.knowledge.search(operator, kbId, { query: one.question, limit: 11 })).hits;
    if (i % 200 === 0) console.error(`${i}/${wanted.length} searched`);
  }
  await box.close();
  fs.mkdirSync(path.dirname(cache), { recursive: true });
  fs.writeFileSync(cache, JSON.stringify(wanted.map((one) => one.hits)));
  return wanted;
}

/** Reward of a piece: 1 for the gold words, something for nearly them, nothing outside the right paragraph. */
function exampleOf({ question, golds, own, hits }: Asked): Example {
  const read = readQuestion(question);
  const evidence = readEvidence(read, hits.slice(0, 10));
  const rows: Float32Array[] = [];
  const rewards: number[] = [];
  for (const [rank, sentence] of evidence.sentences.slice(0, 3).entries()) {
    const made = spanFeatures(read, { text: sentence.normal, rank, coverage: sentence.coverage, score: sentence.score }, evidence.weigh);
    for (const [i, span] of made.spans.entries()) {
      const like = Math.max(...golds.map((gold) => likeness(sentence.normal.slice(span.start, span.end), gold)));
      rows.push(made.rows[i] as Float32Array);
      rewards.push(sentence.hit.document !== own ? 0 : like > 0.999 ? 1 : like > 0.6 ? 0.7 * like * like : 0);
    }
  }
  return { rows, rewards: Float32Array.from(rewards) };
}

function trainSpans(questions: readonly Asked[]): void {
  const examples = questions.map(exampleOf).filter((example) => example.rewards.some((reward) => reward > 0));
  const { mean, scale } = standardise(examples);
  const nets = seeds.map((seed) => trainOne([...examples], seed));
  const joined = (from: number, to: number): number[] => nets.flatMap((net) => [...net.subarray(from, to)]);
  const linear = Float32Array.from(
    { length: featureCount },
    (_, d) => nets.reduce((sum, net) => sum + (net[at.linear + d] as number), 0) / nets.length,
  );
  const out = joined(at.out, at.linear).map((value) => value / nets.length);
  const all = Float32Array.from([...mean, ...scale, ...joined(0, at.bias), ...joined(at.bias, at.out), ...out, ...linear]);
  const text = Buffer.from(all.buffer).toString("base64");
  const head =
    "/** @file A table: the weights of the network in span-model.ts, little-endian floats in base64. Made by scripts/train-spans.ts, never by hand. */";
  fs.writeFileSync(weightsFile, `${head}\nexport const hiddenCount = ${hidden * nets.length};\nexport const weightsBase64 =\n  "${text}";\n`);
}

function trainOne(examples: Example[], seed: number): Float32Array {
  const random = seeded(seed);
  const weights = Float32Array.from({ length: at.linear + featureCount }, (_, i) =>
    i < at.bias ? random() * 2 * Math.sqrt(3 / featureCount) : i >= at.out && i < at.linear ? random() * 2 * Math.sqrt(1 / hidden) : 0,
  );
  const adam = createAdam(weights);
  for (let epoch = 0; epoch < epochs; epoch++) {
    let loss = 0;
    for (let i = examples.length - 1; i > 0; i--) {
      const j = Math.floor((random() + 0.5) * (i + 1));
      [examples[i], examples[j]] = [examples[j] as Example, examples[i] as Example];
    }
    for (const [i, example] of examples.entries()) {
      loss += learn(example, weights, adam.gradient);
      if (i % 16 === 15) adam.step(0.004 * (1 - epoch / epochs) + 0.0003, 16);
    }
    console.log(`seed ${seed}, epoch ${epoch + 1}: loss ${(loss / examples.length).toFixed(4)} over ${examples.length} questions`);
  }
  return weights;
}

/** Rows become standard numbers in place, clipped as the network does. */
function standardise(examples: readonly Example[]): { readonly mean: Float32Array; readonly scale: Float32Array } {
  const rows = examples.flatMap((example) => example.rows);
  const mean = new Float32Array(featureCount);
  const scale = new Float32Array(featureCount);
  for (let d = 0; d < featureCount; d++) {
    const average = rows.reduce((sum, row) => sum + (row[d] as number), 0) / rows.length;
    const variance = rows.reduce((sum, row) => sum + ((row[d] as number) - average) ** 2, 0) / rows.length;
    mean[d] = average;
    scale[d] = 1 / (Math.sqrt(variance) || 1);
    for (const row of rows) row[d] = Math.max(-5, Math.min(5, ((row[d] as number) - average) * (scale[d] as number)));
  }
  return { mean, scale };
}

/** Adds the gradient of -log(expected reward) over the pieces of one question. */
function learn({ rows, rewards }: Example, w: Float32Array, g: Float32Array): number {
  const inner = new Float32Array(rows.length * hidden);
  const scores = rows.map((x, i) => {
    let score = 0;
    for (let d = 0; d < featureCount; d++) score += (w[at.linear + d] as number) * (x[d] as number);
    for (let h = 0; h < hidden; h++) {
      let a = w[at.bias + h] as number;
      for (let d = 0; d < featureCount; d++) a += (w[h * featureCount + d] as number) * (x[d] as number);
      inner[i * hidden + h] = a > 0 ? a : leak * a;
      score += (w[at.out + h] as number) * (inner[i * hidden + h] as number);
    }
    return score;
  });
  const top = Math.max(...scores);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
  const shares = scores.map((score) => Math.exp(score - top) / total);
  const reward = shares.reduce((sum, share, i) => sum + share * (rewards[i] as number), 1e-6);
  for (const [i, x] of rows.entries()) {
    const slope = (shares[i] as number) * (1 - (rewards[i] as number) / reward);
    if (Math.abs(slope) < 1e-5) continue;
    for (let d = 0; d < featureCount; d++) g[at.linear + d] = (g[at.linear + d] as number) + slope * (x[d] as number);
    for (let h = 0; h < hidden; h++) {
      const value = inner[i * hidden + h] as number;
      g[at.out + h] = (g[at.out + h] as number) + slope * value;
      const back = slope * (w[at.out + h] as number) * (value > 0 ? 1 : leak);
      g[at.bias + h] = (g[at.bias + h] as number) + back;
      for (let d = 0; d < featureCount; d++) g[h * featureCount + d] = (g[h * featureCount + d] as number) + back * (x[d] as number);
    }
  }
  return -Math.log(reward);
}

function createAdam(w: Float32Array) {
  const gradient = new Float32Array(w.length);
  const first = new Float32Array(w.length);
  const second = new Float32Array(w.length);
  let steps = 0;
  return {
    gradient,
    step(rate: number, batch: number): void {
      steps++;
      for (let i = 0; i < w.length; i++) {
        const g = (gradient[i] as number) / batch + decay * (w[i] as number);
        first[i] = 0.9 * (first[i] as number) + 0.1 * g;
        second[i] = 0.999 * (second[i] as number) + 0.001 * g * g;
        w[i] =
          (w[i] as number) - (rate * ((first[i] as number) / (1 - 0.9 ** steps))) / (Math.sqrt((second[i] as number) / (1 - 0.999 ** steps)) + 1e-8);
        gradient[i] = 0;
      }
    },
  };
}

/** Prints the rule's numbers for refusal.ts: each question once with and once without its own paragraph. */
function fitRefusal(questions: readonly Asked[]): void {
  const rows = questions.flatMap(({ question, own, hits }) =>
    [true, false].map((answerable) => {
      const kept = hits.filter((hit) => answerable || hit.document !== own).slice(0, 10);
      const evidence = readEvidence(readQuestion(question), kept);
      const sentences = evidence.sentences.slice(0, 3).map((s, rank) => ({ text: s.normal, rank, coverage: s.coverage, score: s.score }));
      return { answerable, signs: refusalSigns(evidence, scoreSpans(readQuestion(question), sentences, evidence.weigh), kept) };
    }),
  );
  for (const [name, leftOut] of [
    ["withMeaning", []],
    ["byWords", ["scoreGap"]],
  ] as const) {
    const names = (Object.keys(rows[0]?.signs ?? {}) as (keyof Signs)[]).filter((sign) => !(leftOut as readonly string[]).includes(sign));
    const values = rows.map(({ signs }) => names.map((sign) => signs?.[sign] ?? 0));
    const mean = names.map((_, k) => values.reduce((sum, row) => sum + (row[k] as number), 0) / rows.length);
    const deviation = names.map(
      (_, k) => Math.sqrt(values.reduce((sum, row) => sum + ((row[k] as number) - (mean[k] as number)) ** 2, 0) / rows.length) || 1,
    );
    const z = values.map((row) => [...row.map((value, k) => (value - (mean[k] as number)) / (deviation[k] as number)), 1]);
    const weights = new Array<number>(names.length + 1).fill(0);
    const odds = (row: readonly number[]): number => row.reduce((sum, value, k) => sum + value * (weights[k] as number), 0);
    for (let round = 0; round < 3000; round++) {
      const slope = new Array<number>(weights.length).fill(0);
      for (const [i, row] of z.entries()) {
        const error = 1 / (1 + Math.exp(-odds(row))) - (rows[i]?.answerable === true ? 1 : 0);
        for (const [k, value] of row.entries()) slope[k] = (slope[k] as number) + error * value;
      }
      for (let k = 0; k < weights.length; k++)
        weights[k] = (weights[k] as number) - 0.5 * ((slope[k] as number) / z.length + (k < names.length ? 1e-3 * (weights[k] as number) : 0));
    }
    console.log(`${name}: bias ${(weights.at(-1) as number).toFixed(4)}`);
    for (const [k, sign] of names.entries())
      console.log(`  ${sign}: [${[mean[k], deviation[k], weights[k]].map((value) => (value as number).toFixed(4)).join(", ")}],`);
    const right = z
      .filter((_, i) => rows[i]?.answerable === true)
      .map(odds)
      .sort((a, b) => a - b);
    const wrong = z.filter((_, i) => rows[i]?.answerable !== true).map(odds);
    for (const share of [0.06, 0.08, 0.1]) {
      const threshold = right[Math.floor(share * right.length)] as number;
      console.log(
        `  threshold ${threshold.toFixed(3)}: false refusals ${share}, unanswerable refused ${(wrong.filter((value) => value < threshold).length / wrong.length).toFixed(3)}`,
      );
    }
  }
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
}
