/**
 * @file Our tokenizers beside llama.cpp's on the same files: token for token, over mixed lines with broken UTF-8, with and without control tokens read from the text.
 * Short: 300 lines. STARBOX_TEST_LONG=1: 10,000. STARBOX_TEST_VOCABULARIES=FOLDER: every .gguf there, too.
 */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GgufFile, Tokenizer } from "#formats";
import { loadLlamaLibrary } from "../../src/models/engine/llama-library.ts";
import { mixedLines } from "../mixed-lines.ts";
import { openTestModels, type TestModels, testEmbedder, testLanguageModel, testToolModel } from "../real-models.ts";

const long = process.env["STARBOX_TEST_LONG"] === "1";
const lines = mixedLines(long ? 10_000 : 300, 20261124);
const folder = process.env["STARBOX_TEST_VOCABULARIES"];
const ids = [testLanguageModel, testToolModel, testEmbedder, ...(long ? ["gemma3-270m"] : [])];
const library = loadLlamaLibrary();
let models: TestModels;

beforeAll(async () => {
  models = await openTestModels(ids);
}, 900_000);
afterAll(() => models?.close());

/** llama.cpp's tokens of raw bytes. */
function openTheirs(file: string): { tokenize(text: Uint8Array, frame: boolean, special: boolean): number[]; close(): void } {
  const model = library!.loadModel(file, { ...library!.modelDefaults(), n_gpu_layers: 0, vocab_only: true });
  if (model === null) throw new Error(`llama.cpp cannot load ${file}`);
  const vocabulary = library!.vocabulary(model);
  const room = new Int32Array(8192);
  return {
    tokenize: (text, frame, special) => {
      const count = library!.tokenizeBytes(vocabulary, text, text.length, room, room.length, frame, special);
      if (count < 0) throw new Error(`more than ${room.length} tokens`);
      return [...room.subarray(0, count)];
    },
    close: () => library!.freeModel(model),
  };
}

async function compare(file: string): Promise<{ readonly different: unknown[]; readonly tokens: number; readonly broken: number }> {
  await using gguf = await GgufFile.open(file);
  const ours = Tokenizer.fromGguf(gguf);
  const theirs = openTheirs(file);
  const different: unknown[] = [];
  let tokens = 0;
  try {
    for (const line of lines)
      for (const special of [false, true]) {
        const expected = theirs.tokenize(line, false, special);
        const found = ours.encode(line, { special });
        tokens += found.length;
        if (expected.length === found.length && expected.every((id, i) => id === found[i])) continue;
        const at = expected.findIndex((id, i) => id !== found[i]);
        const around = (list: readonly number[]): string =>
          list
            .slice(Math.max(0, at - 2), at + 5)
            .map((id) => `${id}:${Buffer.from(ours.piece(id, true)).toString()}`)
            .join(" | ");
        different.push({ line: Buffer.from(line).toString(), special, at, theirs: around(expected), ours: around(found) });
      }
  } finally {
    theirs.close();
  }
  return { different, tokens, broken: lines.filter((line) => Buffer.from(line).toString().includes("\ufffd")).length };
}

describe.skipIf(library === null)("token for token as llama.cpp", () => {
  test.each(ids.map((id) => [id]))(
    "%s",
    async (id) => {
      const { sha256 } = await models.models.waitFor(id);
      const { different, tokens, broken } = await compare(path.join(models.dataDir, "models", `sha256-${sha256}.gguf`));
      expect(different.slice(0, 3)).toEqual([]);
      expect(tokens).toBeGreaterThan(lines.length * 20);
      expect(broken).toBeGreaterThan(lines.length / 20);
    },
    300_000,
  );

  for (const file of folder === undefined ? [] : fs.readdirSync(folder).filter((name) => name.endsWith(".gguf")))
    test(`${file}, from STARBOX_TEST_VOCABULARIES`, async () => {
      const { different, tokens } = await compare(path.join(folder!, file));
      process.stdout.write(`  ${file}: ${different.length} of ${2 * lines.length} differ, ${tokens} tokens\n`);
      expect(different.slice(0, 3)).toEqual([]);
    }, 300_000);
});
