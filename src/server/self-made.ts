/** @file A certificate of the box's own making: for its names and addresses, renewed before it ends, its key kept. Loaded only where it is wanted. */
import "reflect-metadata"; // the library's own dependency needs it first
import { createPrivateKey, type KeyObject, webcrypto, X509Certificate } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import * as x509 from "@peculiar/x509";

export type Certificate = { readonly cert: string; readonly key: string };

const dayMs = 86_400_000;
const validDays = 397; // what browsers accept at most
export const renewBeforeDays = 30;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** This machine's names and addresses, and those an operator added. */
export function ownNames(more: readonly string[]): readonly string[] {
  const host = os.hostname();
  const addresses = Object.values(os.networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address.replace(/%.*/, "")));
  return [...new Set([host, `${host}.local`, "localhost", "127.0.0.1", "::1", ...addresses, ...more])];
}

async function loadKey(file: string): Promise<webcrypto.CryptoKeyPair & { readonly pem: string }> {
  if (!fs.existsSync(file)) {
    const made = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", made.privateKey));
    fs.writeFileSync(
      file,
      `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString("base64").replace(/.{64}/g, "$&\n").trimEnd()}\n-----END PRIVATE KEY-----\n`,
      { mode: 0o600 },
    );
  }
  const pem = fs.readFileSync(file, "utf8");
  const key: KeyObject = createPrivateKey(pem);
  const privateKey = await webcrypto.subtle.importKey("pkcs8", key.export({ type: "pkcs8", format: "der" }), algorithm, true, ["sign"]);
  const { d: _d, key_ops: _ops, ...open } = await webcrypto.subtle.exportKey("jwk", privateKey);
  const publicKey = await webcrypto.subtle.importKey("jwk", open, algorithm, true, ["verify"]);
  return { privateKey, publicKey, pem };
}

/** The certificate in `folder`, made anew when there is none, when it ends soon, or when the machine has other names now. */
export async function selfMadeCertificate(folder: string, names: readonly string[], now: number): Promise<Certificate> {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const [certFile, keyFile] = [path.join(folder, "self.crt"), path.join(folder, "self.key")];
  const keys = await loadKey(keyFile);
  const kept = fs.existsSync(certFile) ? fs.readFileSync(certFile, "utf8") : null;
  if (kept !== null && isGood(kept, names, now)) return { cert: kept, key: keys.pem };
  x509.cryptoProvider.set(webcrypto as unknown as Crypto);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)))
      .toString("hex")
      .replace(/^./, "1"),
    name: [{ CN: ["Starbox"] }],
    notBefore: new Date(now - dayMs), // clocks of other machines may be behind
    notAfter: new Date(now + validDays * dayMs),
    signingAlgorithm: algorithm,
    keys: keys as unknown as CryptoKeyPair, // the same thing under two names: Node's and the browser's
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: net.isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value }))),
    ],
  });
  const cert = made.toString("pem");
  fs.writeFileSync(`${certFile}.new`, `${cert}\n`);
  fs.renameSync(`${certFile}.new`, certFile);
  return { cert, key: keys.pem };
}

function isGood(pem: string, names: readonly string[], now: number): boolean {
  try {
    const found = new X509Certificate(pem);
    if (found.validToDate.getTime() < now + renewBeforeDays * dayMs || found.validFromDate.getTime() > now) return false;
    return names.every((name) => (net.isIP(name) === 0 ? found.checkHost(name) : found.checkIP(name)) !== undefined);
  } catch {
    return false;
  }
}
