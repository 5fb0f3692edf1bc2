/**
 * @file Pieces of files by their content: compressed, encrypted by choice, written once. What is in a piece, or which are still needed, is not known here.
 * With a passphrase a piece's name is a keyed hash, so that the folder tells nobody which files it holds.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes, scryptSync } from "node:crypto";
import fs from "node:fs";
import fsp from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import { newId, StarboxError } from "#base";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

export type Vault = {
  readonly folder: string;
  readonly encrypted: boolean;
  /** Bytes written for this piece; 0: it was there. */
  put(bytes: Uint8Array): Promise<{ readonly id: string; readonly written: number }>;
  has(id: string): boolean;
  /** Throws backup_invalid where the bytes are not those that were put in. */
  get(id: string): Promise<Uint8Array>;
  /** A document that is not content-addressed: a snapshot. */
  seal(name: string, bytes: Uint8Array): Promise<Uint8Array>;
  open(name: string, bytes: Uint8Array): Promise<Uint8Array>;
  removeUnless(isUsed: (id: string) => boolean): Promise<{ readonly pieces: number; readonly bytes: number }>;
};

type Header = {
  readonly format: 1;
  readonly product: "starbox-backup";
  readonly createdAt: string;
  readonly encryption: { readonly kdf: "scrypt"; readonly cost: number; readonly salt: string; readonly key: string } | null;
};

const headerName = "starbox-backup.json";
const scryptCost = 1 << 15;
const invalid = (message: string, zh: string, hint?: string, hintZh?: string): StarboxError =>
  new StarboxError("backup_invalid", message, {
    ...(hint === undefined ? {} : { hint }),
    zh: { message: zh, ...(hintZh === undefined ? {} : { hint: hintZh }) },
  });

const wrapKey = (passphrase: string, salt: Uint8Array, cost: number): Buffer =>
  scryptSync(passphrase.normalize("NFC"), salt, 32, { N: cost, r: 8, p: 1, maxmem: 256 << 20 });

function encrypt(key: Uint8Array, about: string, bytes: Uint8Array): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(Buffer.from(about));
  const body = Buffer.concat([cipher.update(bytes), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
}

function decrypt(key: Uint8Array, about: string, sealed: Uint8Array): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12));
  decipher.setAAD(Buffer.from(about));
  decipher.setAuthTag(sealed.subarray(12, 28));
  return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
}

/** Opens the folder, or makes it one when `create`. `passphrase` null: not encrypted. */
export async function openVault(
  folder: string,
  options: { readonly passphrase: string | null; readonly create: boolean; readonly now?: () => number },
): Promise<Vault> {
  const header = (await readHeader(folder)) ?? (options.create ? await createHeader(folder, options) : null);
  if (header === null)
    throw invalid(
      `${folder} holds no backup.`,
      `${folder} 中没有备份。`,
      "Name the folder that starbox backup wrote to.",
      "请给出 starbox backup 写入的文件夹。",
    );
  const master = header.encryption === null ? null : unlock(folder, header.encryption, options.passphrase);
  const derive = (use: string): Buffer | null => (master === null ? null : Buffer.from(hkdfSync("sha256", master, new Uint8Array(), use, 32)));
  const [names, contents] = [derive("names"), derive("contents")];
  const nameOf = (bytes: Uint8Array): string => (names === null ? createHash("sha256") : createHmac("sha256", names)).update(bytes).digest("hex");
  const place = (id: string): string => path.join(folder, "pieces", id.slice(0, 2), id);
  const seal = async (name: string, bytes: Uint8Array): Promise<Uint8Array> => {
    const packed = await compress(bytes);
    return contents === null ? packed : encrypt(contents, name, packed);
  };
  const open = async (name: string, bytes: Uint8Array): Promise<Uint8Array> => {
    try {
      return await decompress(contents === null ? bytes : decrypt(contents, name, bytes));
    } catch {
      throw invalid(
        `${name} in ${folder} is damaged.`,
        `${folder} 中的 ${name} 已损坏。`,
        "Use another backup: starbox restore --list.",
        "请改用其他备份：starbox restore --list。",
      );
    }
  };
  return {
    folder,
    encrypted: header.encryption !== null,
    has: (id) => fs.existsSync(place(id)),
    async put(bytes) {
      const id = nameOf(bytes);
      if (fs.existsSync(place(id))) return { id, written: 0 };
      const sealed = await seal(id, bytes);
      await writeWhole(place(id), sealed);
      return { id, written: sealed.byteLength };
    },
    async get(id) {
      const sealed = await fsp.readFile(place(id)).catch(() => {
        throw invalid(`A piece of the backup is missing: ${id.slice(0, 12)}….`, `备份缺少一个数据块：${id.slice(0, 12)}……。`);
      });
      const bytes = await open(id, sealed);
      if (nameOf(bytes) !== id)
        throw invalid(`The piece ${id.slice(0, 12)}… is not what its name says.`, `数据块 ${id.slice(0, 12)}…… 与其名称不符。`);
      return bytes;
    },
    seal,
    open,
    async removeUnless(isUsed) {
      let pieces = 0;
      let bytes = 0;
      const root = path.join(folder, "pieces");
      for (const part of await fsp.readdir(root).catch(() => [] as string[])) {
        for (const id of await fsp.readdir(path.join(root, part))) {
          if (isUsed(id)) continue;
          const file = path.join(root, part, id);
          bytes += (await fsp.stat(file).catch(() => null))?.size ?? 0;
          pieces++;
          await fsp.rm(file, { force: true });
        }
      }
      return { pieces, bytes };
    },
  };
}

async function readHeader(folder: string): Promise<Header | null> {
  let text: string;
  try {
    text = await fsp.readFile(path.join(folder, headerName), "utf8");
  } catch {
    return null;
  }
  const header = JSON.parse(text) as Header;
  if (header.product === "starbox-backup" && header.format === 1) return header;
  throw invalid(`${folder} was written by a newer Starbox (format ${header.format}).`, `${folder} 由更新版本的星匣写入（格式 ${header.format}）。`);
}

async function createHeader(folder: string, options: { readonly passphrase: string | null; readonly now?: () => number }): Promise<Header> {
  await fsp.mkdir(folder, { recursive: true, mode: 0o700 });
  const salt = randomBytes(16);
  const header: Header = {
    format: 1,
    product: "starbox-backup",
    createdAt: new Date((options.now ?? Date.now)()).toISOString(),
    encryption:
      options.passphrase === null
        ? null
        : {
            kdf: "scrypt",
            cost: scryptCost,
            salt: salt.toString("base64"),
            // The passphrase protects a random key, so it can be changed without writing everything anew.
            key: encrypt(wrapKey(options.passphrase, salt, scryptCost), "key", randomBytes(32)).toString("base64"),
          },
  };
  await writeWhole(path.join(folder, headerName), Buffer.from(`${JSON.stringify(header, null, 2)}\n`));
  return header;
}

function unlock(folder: string, encryption: NonNullable<Header["encryption"]>, passphrase: string | null): Buffer {
  if (passphrase === null)
    throw invalid(
      `The backups in ${folder} are encrypted.`,
      `${folder} 中的备份已加密。`,
      "Give the file with the passphrase: --key-file FILE.",
      "请给出口令文件：--key-file 文件。",
    );
  try {
    return decrypt(wrapKey(passphrase, Buffer.from(encryption.salt, "base64"), encryption.cost), "key", Buffer.from(encryption.key, "base64"));
  } catch {
    throw invalid(
      `The passphrase does not open ${folder}.`,
      `口令无法打开 ${folder}。`,
      "Check the file given with --key-file.",
      "请检查 --key-file 指定的文件。",
    );
  }
}

/** Whole or not at all, and on disk when this resolves. */
export async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  await fsp.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${newId("new")}`;
  const handle = await fsp.open(draft, "wx", 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fsp.rename(draft, file);
}
