import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { loadGgufHeader } from "./gguf-header.ts";
import { writeGguf } from "./gguf-writer.ts";

test("a file that was cut in its header or in its tensors is refused under the name the person gave", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-header-"));
  const file = path.join(folder, "a.gguf");
  await writeGguf(file, { "general.architecture": { type: "string", value: "x" } }, [
    { name: "w", shape: [32, 2], type: "q5_0", data: Buffer.alloc(44) },
    { name: "n", shape: [3], type: "f32", data: Buffer.alloc(12) },
  ]);
  const whole = fs.readFileSync(file);
  expect((await loadGgufHeader(file)).tensorCount).toBe(2);
  const dataStart = whole.length - 64 - 32; // 44 and 12 bytes, each padded to 32
  for (const length of [3, 20, 60, dataStart + 10, dataStart + 64 + 11]) {
    fs.writeFileSync(file, whole.subarray(0, length));
    await expect(loadGgufHeader(file, "given.gguf")).rejects.toThrowError(/^given\.gguf: expected a GGUF file/);
  }
  fs.rmSync(folder, { recursive: true });
});
