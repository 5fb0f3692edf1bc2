/**
 * @file Unpacks a bundle; travels inside it and runs on the Node that lies beside it, before anything else of Starbox is there.
 * Arguments: the bundle, where its payload begins, the payload's bytes and SHA-256, the folder to fill. Imports nothing but Node.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdDecompress } from "node:zlib";

type Entry = { readonly path: string; readonly mode: number; readonly size: number };

const [bundle = "", offset = "0", size = "0", sha256 = "", target = ""] = process.argv.slice(2);

/** Records: four bytes with the length of a JSON line, the line, the file's bytes. */
async function unpack(source: AsyncIterable<Buffer>): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let file: { readonly fd: number; left: number } | null = null;
  for await (const part of source) {
    rest = rest.length === 0 ? part : Buffer.concat([rest, part]);
    for (;;) {
      if (file !== null) {
        const bytes = rest.subarray(0, file.left);
        fs.writeSync(file.fd, bytes);
        file.left -= bytes.length;
        rest = rest.subarray(bytes.length);
        if (file.left > 0) break;
        fs.closeSync(file.fd);
        file = null;
      }
      if (rest.length < 4) break;
      const length = rest.readUInt32LE(0);
      if (rest.length < 4 + length) break;
      const entry = JSON.parse(rest.subarray(4, 4 + length).toString("utf8")) as Entry;
      rest = rest.subarray(4 + length);
      const place = path.join(target, entry.path);
      if (!place.startsWith(target + path.sep)) throw new Error(`the name ${entry.path} leads out of the folder`);
      fs.mkdirSync(path.dirname(place), { recursive: true });
      file = { fd: fs.openSync(place, "w", entry.mode), left: entry.size };
    }
  }
  if (file !== null || rest.length > 0) throw new Error("the bundle ends in the middle of a file");
}

try {
  const hash = createHash("sha256");
  const start = Number(offset);
  const hashed = new Transform({
    transform(part: Buffer, _, done) {
      hash.update(part);
      done(null, part);
    },
  });
  await pipeline(
    fs.createReadStream(bundle, { start, end: start + Number(size) - 1, highWaterMark: 1 << 20 }),
    hashed,
    createZstdDecompress(),
    unpack,
  );
  const found = hash.digest("hex");
  if (found !== sha256) throw new Error(`expected SHA-256 ${sha256}, got ${found}: the file was damaged on its way`);
  fs.writeFileSync(path.join(target, ".complete"), sha256);
} catch (error) {
  process.stderr.write(`starbox: the bundle cannot be unpacked: ${(error as Error).message}\nstarbox: 安装包无法解开：${(error as Error).message}\n`);
  process.exit(1);
}
