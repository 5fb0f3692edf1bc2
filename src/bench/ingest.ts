/** @file How fast files become searchable: text PDF, Markdown, one upload on a quiet box, passages to vectors; through the services people use. Cold caches, warm processes. */
import fs from "node:fs";
import path from "node:path";
import type { Actor, Services, Spread } from "#contracts";
import { type Measured, same } from "./retrieve.ts";

export type IngestBench = {
  /** An empty box that searches by words only: vectors would take the processor from what is measured. */
  readonly services: Pick<Services, "knowledge">;
  /** Folder with laws/. */
  readonly data: string;
  /** The documents that come with the box; its PDFs are text PDFs. */
  readonly samplesFolder: string;
  /** Of the box's processes so far: tells on a busy machine what an idle one could do. */
  readonly processorSeconds: () => number;
  readonly long: boolean;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
};

type FileToAdd = { readonly path: string; readonly bytes: Uint8Array };

const operator: Actor = { personId: null, name: "bench", role: "operator" };
const rounds = 3;
const pagesARound = 200;
const megabytesARound = { short: 5, long: 20 };

export async function* measureIngest(bench: IngestBench): AsyncGenerator<Measured> {
  yield { case: "first upload to searchable by words", unit: "s", starbox: same((await untilFound(bench, 0)) / 1000) };
  const warm: number[] = [];
  for (let i = 1; i <= 10; i++) warm.push((await untilFound(bench, i)) / 1000);
  yield { case: "upload to searchable by words, parsers running", unit: "s", starbox: spread(warm) };

  const pdf: number[] = [];
  const markdown: number[] = [];
  const work: { readonly pdf: number[]; readonly markdown: number[] } = { pdf: [], markdown: [] };
  for (let round = 0; round < rounds; round++) {
    bench.note(`round ${round + 1} of ${rounds}`);
    const before = bench.processorSeconds();
    const pages = await readIn(bench, `pdf ${round}`, pdfFiles(bench, round));
    pdf.push(pages.pages / pages.seconds);
    const between = bench.processorSeconds();
    work.pdf.push((between - before) / pages.pages);
    const laws = markdownFiles(bench, round);
    const megabytes = laws.reduce((sum, file) => sum + file.bytes.length, 0) / 1e6;
    const start = bench.processorSeconds();
    markdown.push(megabytes / (await readIn(bench, `markdown ${round}`, laws)).seconds);
    work.markdown.push((bench.processorSeconds() - start) / megabytes);
  }
  yield { case: `text PDF, ${pagesARound} pages a round: parse, chunk, word index`, unit: "pages/s", starbox: spread(pdf) };
  yield { case: "Markdown: parse, chunk, word index", unit: "MB/s", starbox: spread(markdown) };
  yield { case: "text PDF: processor time", unit: "s/page", starbox: spread(work.pdf) };
  yield { case: "Markdown: processor time", unit: "s/MB", starbox: spread(work.markdown) };
}

export type EmbedBench = Pick<IngestBench, "data" | "signal" | "note"> & {
  readonly services: Pick<Services, "knowledge" | "models">;
};

/** Needs an embedder: passages of statutes from words to vectors, at most two minutes of it. */
export async function* measureEmbedding(bench: EmbedBench): AsyncGenerator<Measured> {
  const { knowledge, models } = bench.services;
  const model = await models.embeddingModel();
  await model.embed(["暖机"], { kind: "passage" });
  const { kbId } = await readIn(bench, "vectors", markdownFiles({ ...bench, long: false }, rounds, 0.4));
  const texts: string[] = [];
  for (const document of (await knowledge.listDocuments(operator, kbId, { limit: 100 })).items)
    texts.push(...(await knowledge.listChunks(operator, document.id)).map((chunk) => chunk.text));
  const before = await knowledge.readBase(operator, kbId);
  const started = performance.now();
  let now = before;
  while (now.embedded < now.chunks && performance.now() - started < 120_000) {
    await pause(100);
    bench.signal.throwIfAborted();
    now = await knowledge.readBase(operator, kbId);
  }
  const perSecond = (now.embedded - before.embedded) / ((performance.now() - started) / 1000);
  const counts = await model.countTokens(texts);
  const tokens = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  yield { case: `passages to vectors (${now.embedded - before.embedded} of statutes)`, unit: "passages/s", starbox: same(perSecond) };
  yield { case: `passages to vectors, ${Math.round(tokens)} tokens each`, unit: "tokens/s", starbox: same(perSecond * tokens) };
}

/** Milliseconds from handing a file over until its own word is found. */
async function untilFound(bench: IngestBench, i: number): Promise<number> {
  const { knowledge } = bench.services;
  const kbId = await baseOf(bench, "one by one");
  const word = `upload${Date.now().toString(36)}${i}`;
  const started = performance.now();
  await knowledge.addFile(operator, kbId, {
    path: `${i}.md`,
    content: { bytes: new TextEncoder().encode(`# 通知\n\n本通知的编号为 ${word}，自发布之日起施行。\n`) },
  });
  for (;;) {
    const { hits } = await knowledge.search(operator, kbId, { query: word, limit: 1, lexicalOnly: true, signal: bench.signal });
    if (hits[0]?.text.includes(word) === true) return performance.now() - started;
    await pause(10);
  }
}

/** Adds all and waits until each is searchable by words. */
export async function readIn(
  bench: Pick<IngestBench, "signal"> & { readonly services: Pick<Services, "knowledge"> },
  name: string,
  files: readonly FileToAdd[],
): Promise<{ readonly seconds: number; readonly pages: number; readonly kbId: string }> {
  const { knowledge } = bench.services;
  const kbId = await baseOf(bench, name);
  const started = performance.now();
  // Several at a time, as people drop a folder: each one waits for the disk before it is acknowledged.
  const waiting = [...files];
  const send = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
      await knowledge.addFile(operator, kbId, { path: file.path, content: { bytes: file.bytes } });
  };
  await Promise.all(Array.from({ length: 4 }, send));
  while ((await knowledge.readBase(operator, kbId)).pending > 0) {
    bench.signal.throwIfAborted();
    await pause(20);
  }
  const seconds = (performance.now() - started) / 1000;
  const { items } = await knowledge.listDocuments(operator, kbId, { limit: 500 });
  return { seconds, pages: items.reduce((sum, document) => sum + (document.pages ?? 0), 0), kbId };
}

async function baseOf({ services: { knowledge } }: { readonly services: Pick<Services, "knowledge"> }, name: string): Promise<string> {
  const known = (await knowledge.listBases(operator)).find((base) => base.name === name);
  return (known ?? (await knowledge.createBase(operator, { name }))).id;
}

/** The sample PDFs over and over; a comment behind the end makes each a file of its own. */
function pdfFiles({ samplesFolder }: IngestBench, round: number): readonly FileToAdd[] {
  const samples = fs
    .readdirSync(samplesFolder)
    .filter((name) => name.endsWith(".pdf"))
    .sort();
  const files: FileToAdd[] = [];
  for (let pages = 0, copy = 0; pages < pagesARound; copy++) {
    for (const name of samples) {
      const bytes = fs.readFileSync(path.join(samplesFolder, name));
      pages += bytes.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 1;
      files.push({ path: `${round}/${copy}/${name}`, bytes: Buffer.concat([bytes, Buffer.from(`\n% ${round} ${copy}\n`)]) });
    }
  }
  return files;
}

/** Statutes up to so many megabytes; another line at the end, and other passages, each round. */
export function markdownFiles(
  { data, long }: Pick<IngestBench, "data" | "long">,
  round: number,
  megabytes = long ? megabytesARound.long : megabytesARound.short,
): readonly FileToAdd[] {
  const root = path.join(data, "laws");
  const names = fs
    .readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .sort();
  const files: FileToAdd[] = [];
  for (let bytes = 0, i = 0; bytes < megabytes * 1e6 && i < names.length; i++) {
    // A stride through all of them: long and short, old and new in every round.
    const name = names[(i * 7 + round) % names.length] ?? "";
    const text = Buffer.concat([fs.readFileSync(path.join(root, name)), Buffer.from(`\n\n抄本第${round}次。\n`)]);
    files.push({ path: `${round}/${i}/${path.basename(name)}`, bytes: text });
    bytes += text.length;
  }
  return files;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (i: number): number => Math.round((sorted[i] ?? 0) * 1000) / 1000;
  return { min: at(0), median: at(Math.floor((sorted.length - 1) / 2)), max: at(sorted.length - 1) };
}

const pause = async (ms: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, ms));
