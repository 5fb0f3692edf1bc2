/**
 * @file Writes a GGUF model's weights, dequantised to f32 by our reference, and its metadata for scripts/golden/models.py:
 *   node scripts/launch.mjs script scripts/golden/export-weights.ts FILE NAME DIR
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { openModel, sampleIds } from "#alignment";
import { loadValues } from "#compute";

const [file, name, folder] = process.argv.slice(2) as [string, string, string];
await using model = await openModel(file);
fs.mkdirSync(folder, { recursive: true });
const weights = fs.openSync(path.join(folder, "weights.bin"), "w");
const tensors: Record<string, { readonly at: number; readonly shape: readonly number[] }> = {};
let at = 0;
for (const [tensor, spec] of model.tensors) {
  tensors[tensor] = { at, shape: spec.shape };
  const rows = spec.shape[0]!;
  for (let start = 0; start < rows; start += 8192) {
    const count = Math.min(8192, rows - start);
    const part = { dtype: spec.dtype, shape: [count, ...spec.shape.slice(1)] };
    const values = Float32Array.from(loadValues(part, await model.read(tensor, { start, count })));
    fs.writeSync(weights, values);
    at += values.length;
  }
}
fs.closeSync(weights);
const hash = createHash("sha256");
for await (const part of fs.createReadStream(file)) hash.update(part as Buffer);
const metadata = Object.fromEntries([...model.metadata].filter(([key]) => !key.startsWith("tokenizer.")));
fs.writeFileSync(
  path.join(folder, "model.json"),
  JSON.stringify({
    name,
    sha256: hash.digest("hex"),
    ids: [...sampleIds(model.config.vocabulary, 8)],
    metadata: { ...metadata, vocabulary: model.config.vocabulary },
    tensors,
  }),
);
