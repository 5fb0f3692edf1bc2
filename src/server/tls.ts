/** @file TLS of the listening server: an operator's certificate or one of the box's own making, and new ones without a restart. */
import { X509Certificate } from "node:crypto";
import fs from "node:fs";
import type { Server as HttpsServer } from "node:https";
import path from "node:path";
import { type Logger, type Settings, StarboxError } from "#base";
import type { Certificate } from "./self-made.ts";

export type TlsSettings = Pick<Settings, "data" | "tls" | "tlsCert" | "tlsKey" | "trustedOrigins">;

const lookEveryMs = 3_600_000;

/** null: plain HTTP. */
export async function loadCertificate(settings: TlsSettings, now: number): Promise<Certificate | null> {
  if (settings.tlsCert !== "" || settings.tlsKey !== "") return readOwn(settings);
  if (settings.tls !== "self") return null;
  const { ownNames, selfMadeCertificate } = await import("./self-made.ts");
  const named = settings.trustedOrigins.flatMap((origin) => URL.parse(origin)?.hostname ?? []);
  return await selfMadeCertificate(path.join(settings.data, "tls"), ownNames(named), now);
}

function readOwn({ tlsCert, tlsKey }: TlsSettings): Certificate {
  try {
    const [cert, key] = [fs.readFileSync(tlsCert, "utf8"), fs.readFileSync(tlsKey, "utf8")];
    new X509Certificate(cert);
    return { cert, key };
  } catch (error) {
    throw new StarboxError("settings_invalid", `The certificate cannot be used: ${(error as Error).message}.`, {
      hint: "STARBOX_TLS_CERT and STARBOX_TLS_KEY name two PEM files; STARBOX_TLS=self lets the box make its own.",
      zh: {
        message: `证书无法使用：${(error as Error).message}。`,
        hint: "STARBOX_TLS_CERT 与 STARBOX_TLS_KEY 应指向两个 PEM 文件；STARBOX_TLS=self 则由星匣自行签发。",
      },
    });
  }
}

/** Takes over a renewed certificate while connections go on. Returns how to stop looking. */
export function keepFresh(server: HttpsServer, settings: TlsSettings, first: Certificate, logger: Logger, everyMs = lookEveryMs): () => void {
  let current = first;
  const timer = setInterval(() => {
    loadCertificate(settings, Date.now()).then(
      (found) => {
        if (found === null || (found.cert === current.cert && found.key === current.key)) return;
        server.setSecureContext(found);
        current = found;
        logger.info({ until: new X509Certificate(found.cert).validTo }, "tls: certificate renewed");
      },
      (error: unknown) => logger.error({ error: String(error) }, "tls: the new certificate cannot be used; the old one stays"),
    );
  }, everyMs).unref();
  return () => clearInterval(timer);
}
