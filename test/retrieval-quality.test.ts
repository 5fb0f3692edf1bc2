/** @file Retrieval must not get worse: questions over encyclopaedia paragraphs in Traditional Chinese, by words alone (no model needed). The full figures come from `starbox bench retrieve`. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { StarboxError, silentLogger } from "#base";
import { createRetriever } from "../src/knowledge/retrieve/index.ts";
import { devData } from "./dev-data.ts";
import { makeBase, openMadeBase } from "./retrieval-base.ts";

type Drcd = {
  readonly data: readonly {
    readonly paragraphs: readonly { readonly id: string; readonly context: string; readonly qas: readonly { readonly question: string }[] }[];
  }[];
};

const file = devData("drcd/DRCD_dev.json");
const laws = devData("laws");
/** Passages of another kind in the same box: more than are asked, as in a house with many bases. */
const otherPassages = 12_000;

function statutes(): string[] {
  const folder = laws as string;
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));
  return files.sort().flatMap((name) =>
    readFileSync(path.join(folder, name), "utf8")
      .split("\n\n")
      .filter((text) => text.length > 30),
  );
}

test.skipIf(file === null || laws === null)(
  "DRCD by words, a larger base of statutes beside it: recall@1 ≥ 0.94, recall@5 ≥ 0.985 over every third question",
  async () => {
    const paragraphs = (JSON.parse(readFileSync(file as string, "utf8")) as Drcd).data.flatMap((article) => article.paragraphs);
    const dataDir = mkdtempSync(path.join(tmpdir(), "starbox-quality-"));
    const base = openMadeBase(dataDir);
    const retriever = createRetriever({
      dataDir,
      readerModule: new URL("../src/storage/index.ts", import.meta.url).href,
      embedderOf: () => null,
      logger: silentLogger,
      embeddingModel: async () => {
        throw new StarboxError("model_not_ready", "words only");
      },
    });
    try {
      base.storage.transaction(() => {
        for (const paragraph of paragraphs) base.add({ path: paragraph.id, chunks: [{ text: paragraph.context }] });
      });
      const other = makeBase(base.storage, "statutes");
      base.storage.transaction(() => {
        for (const [i, text] of statutes().slice(0, otherPassages).entries()) other.add({ path: `${i}.md`, chunks: [{ text }] });
      });
      const questions = paragraphs
        .flatMap((paragraph) => paragraph.qas.map((qa) => ({ id: paragraph.id, question: qa.question })))
        .filter((_, i) => i % 3 === 0);
      let first = 0;
      let five = 0;
      for (const { id, question } of questions) {
        const { hits } = await retriever.retrieve({ kbIds: [base.kbId], query: question, limit: 5, viewer: { person: null, access: "everything" } });
        if (hits[0]?.document === id) first++;
        if (hits.some((hit) => hit.document === id)) five++;
      }
      expect(questions.length).toBeGreaterThan(1000);
      expect(first / questions.length).toBeGreaterThanOrEqual(0.94);
      expect(five / questions.length).toBeGreaterThanOrEqual(0.985);
    } finally {
      await retriever.close();
      base.storage.close();
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
  120_000,
);
