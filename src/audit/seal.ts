/** @file The audit key and the signed head: how many rows there must be and what the last one is, kept beside the database and not in it. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { genesis } from "./chain.ts";

export type Head = {
  /** The last row let go by retention; 0 and the genesis hash: none. */
  readonly baseSeq: number;
  readonly baseHash: string;
  readonly seq: number;
  readonly hash: string;
};

export type Seals = {
  sealRow(seq: number, hash: string): string;
  isSealed(row: { readonly seq: number; readonly hash: string; readonly seal: string }): boolean;
  writeHead(head: Head): void;
  /** "missing", or "broken" when it is there but not signed by this box. */
  readHead(): Head | "missing" | "broken";
  /** Of the public key: whoever wrote it down can tell a replaced key. */
  readonly fingerprint: string;
};

export const freshHead: Head = { baseSeq: 0, baseHash: genesis, seq: 0, hash: genesis };
const headSize = 512;

const rowText = (seq: number, hash: string): Buffer => Buffer.from(`starbox audit row ${seq} ${hash}`);
const headText = (head: Head): Buffer => Buffer.from(`starbox audit head ${head.baseSeq} ${head.baseHash} ${head.seq} ${head.hash}`);

/** Makes the key on first use; only the owner of the data folder may read it. */
export function openSeals(dataDir: string): Seals {
  const privateKey = loadKey(path.join(dataDir, "audit.key"));
  const publicKey = createPublicKey(privateKey);
  const publicFile = path.join(dataDir, "audit.pub");
  if (!fs.existsSync(publicFile)) fs.writeFileSync(publicFile, publicKey.export({ type: "spki", format: "pem" }), { mode: 0o644 });
  const headFile = path.join(dataDir, "audit.head");
  return {
    sealRow: (seq, hash) => sign(null, rowText(seq, hash), privateKey).toString("base64url"),
    isSealed: ({ seq, hash, seal }) => verify(null, rowText(seq, hash), publicKey, Buffer.from(seal, "base64url")),
    writeHead(head) {
      const line = JSON.stringify({ ...head, seal: sign(null, headText(head), privateKey).toString("base64url") });
      // One write of one sector in place: a killed process leaves the old head or the new one.
      const file = fs.openSync(headFile, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
      try {
        fs.writeSync(file, line.padEnd(headSize - 1).concat("\n"), 0);
      } finally {
        fs.closeSync(file);
      }
    },
    readHead() {
      let text: string;
      try {
        text = fs.readFileSync(headFile, "utf8");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return "missing";
        throw error;
      }
      try {
        const { seal, baseSeq, baseHash, seq, hash } = JSON.parse(text) as Head & { seal: string };
        const head: Head = { baseSeq, baseHash, seq, hash };
        return verify(null, headText(head), publicKey, Buffer.from(seal, "base64url")) ? head : "broken";
      } catch {
        return "broken";
      }
    },
    fingerprint: createHash("sha256")
      .update(publicKey.export({ type: "spki", format: "der" }))
      .digest("hex")
      .slice(0, 32),
  };
}

function loadKey(file: string): KeyObject {
  try {
    return createPrivateKey(fs.readFileSync(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const { privateKey } = generateKeyPairSync("ed25519");
  fs.writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600, flag: "wx" });
  return privateKey;
}
