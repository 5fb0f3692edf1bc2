/** @file A base of 100,000 passages for measuring speed: statutes and news as they are, and statutes once more with slightly other words and vectors. Copies are for size only. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { EmbeddingModel } from "#contracts";

export type FileToAdd = { readonly path: string; readonly content: { readonly bytes: Uint8Array } | { readonly filePath: string } };

/** Everything of whose vectors quality may be measured lies in here. */
export const realFolder = "real";
/** What embedding takes half an hour for, and what takes an hour on two cores. */
const sizes = { short: { laws: 480, news: 100 }, long: { laws: Number.POSITIVE_INFINITY, news: 600 } };

/** At the end of each line of a copy: makes it a text of its own, and is how its original is found. */
const copyMark = (round: number): string => `（副本${round}）`;
const copyMarks = /（副本\d+）/gu;
/** Length of the step away from the original: its cosine is then 0.99, and 0.95 with the mean taken away. */
const jitter = 0.15;

export function lawFiles(data: string): readonly string[] {
  return fs
    .readdirSync(path.join(data, "laws"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .sort();
}

export const realLaws = (data: string, long: boolean): readonly string[] => lawFiles(data).slice(0, sizes[long ? "long" : "short"].laws);

export function realFiles(data: string, long: boolean): readonly FileToAdd[] {
  const laws = realLaws(data, long).map((name) => ({
    path: `${realFolder}/laws/${name.split(path.sep).join("/")}`,
    content: { filePath: path.join(data, "laws", name) },
  }));
  const folder = path.join(data, "news");
  const lines = fs
    .readdirSync(folder)
    .sort()
    .flatMap((name) => fs.readFileSync(path.join(folder, name), "utf8").split("\n"))
    .filter((line) => line.trim() !== "");
  const news = lines
    .slice(0, sizes[long ? "long" : "short"].news)
    .map((line, i) => ({ path: `${realFolder}/news/${i}.txt`, content: { bytes: Buffer.from(line) } }));
  return [...laws, ...news];
}

export function copyOfLaw(data: string, name: string, round: number): FileToAdd {
  const lines = fs.readFileSync(path.join(data, "laws", name), "utf8").split("\n");
  const marked = lines.map((line) => (line.trim() === "" ? line : `${line.trimEnd()}${copyMark(round)}`));
  return { path: `copies/${round}/${name.split(path.sep).join("/")}`, content: { bytes: Buffer.from(marked.join("\n")) } };
}

/**
 * Real passages get the embedder's own vectors, from `kept` where an earlier run has them; a copy gets its original's, moved a little.
 * `keep` is told of every vector the embedder had to make.
 */
export function withJitteredCopies(
  model: EmbeddingModel,
  cache: { readonly find: (text: string) => Float32Array | undefined; readonly keep: (text: string, vector: Float32Array) => void },
): EmbeddingModel {
  return {
    ...wrapped(model),
    async embed(texts, options) {
      if (options.kind !== "passage") return await model.embed(texts, options);
      const originals = texts.map((text) => text.replaceAll(copyMarks, ""));
      const vectors = originals.map(cache.find);
      const missing = [...new Set(originals.filter((_, i) => vectors[i] === undefined))];
      const made = missing.length === 0 ? [] : await model.embed(missing, options);
      missing.forEach((text, i) => cache.keep(text, made[i] as Float32Array));
      const fresh = new Map(missing.map((text, i) => [text, made[i] as Float32Array]));
      return texts.map((text, i) => {
        const original = originals[i] as string;
        const vector = vectors[i] ?? (fresh.get(original) as Float32Array);
        return text === original ? vector : moved(vector, text);
      });
    },
  };
}

/** A class's members do not spread. */
function wrapped(model: EmbeddingModel): EmbeddingModel {
  return {
    id: model.id,
    dimensions: model.dimensions,
    maxTokens: model.maxTokens,
    embed: async (texts, options) => await model.embed(texts, options),
    countTokens: async (texts) => await model.countTokens(texts),
  };
}

/** The same step for the same text. */
function moved(vector: Float32Array, text: string): Float32Array {
  let state = createHash("sha256").update(text).digest().readInt32LE(0);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0; // mulberry32
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const step = vector.map(() => next() + next() + next() - 1.5);
  const scale = jitter / Math.hypot(...step);
  const away = vector.map((value, i) => value + scale * (step[i] as number));
  const length = Math.hypot(...away);
  return away.map((value) => value / length);
}
