/** @file `starbox start`: the box with its HTTP server, until told to stop. Models arrive in the background; the console works meanwhile. */
import fs from "node:fs";
import path from "node:path";
import type { Settings } from "#base";
import { createPlatform } from "#platform";
import { createServer } from "#server";
import { type Box, openBox } from "./open-box.ts";
import { startTracing } from "./tracing.ts";

/** What serving tells people; the terminal of `cli` fits. */
export type Notes = { note(english: string, chinese: string): void };

const consoleFolder = path.join(import.meta.dirname, "../../console/dist");

/** Resolves when the signal was given and everything is closed. */
export async function serve(settings: Settings, options: { readonly terminal: Notes; readonly signal: AbortSignal }): Promise<void> {
  const { terminal, signal } = options;
  const box = openBox(settings, { serving: true });
  const tracing = await startTracing(settings.otlp, box.version);
  try {
    const platform = createPlatform({ store: box.storage.people, settings, audit: box.audit, revocations: box.revocations });
    const server = createServer(box.services, platform, settings, box.logger, {
      version: box.version,
      ...(fs.existsSync(path.join(consoleFolder, "index.html")) ? { consoleFolder } : {}),
    });
    const url = await server.listen();
    const isTls = url.startsWith("https:");
    box.storage.lock?.update({ host: isTls ? "127.0.0.1" : settings.host, port: server.localPort ?? settings.port });
    terminal.note(`Starbox serves at ${url}`, `星匣已启动：${url}`);
    const code = platform.setupCode();
    if (code !== null) {
      terminal.note(
        `First start. Set-up code for the administrator (valid once): ${code}\nOpen ${url}/setup#code=${code}`,
        `首次启动。管理员初始化代码（仅可使用一次）：${code}\n请打开 ${url}/setup#code=${code}`,
      );
    }
    box.start();
    const models = announceModels(box, terminal, signal);
    await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
    terminal.note("Stopping …", "正在停止……");
    await server.close();
    await models;
  } finally {
    await tracing?.stop();
    await box.close();
  }
}

/** Fetches what is missing, loads it, and says once when the box can answer. */
async function announceModels(box: Box, terminal: Notes, signal: AbortSignal): Promise<void> {
  for (const model of await box.services.models.list()) {
    if (model.isDefault && model.state === "available") {
      const size = model.sizeBytes === null ? "" : ` (${Math.round(model.sizeBytes / 1e6)} MB)`;
      terminal.note(
        `Fetching ${model.id}${size} in the background; documents can be added meanwhile.`,
        `正在后台获取 ${model.id}${size}，期间可以先添加资料。`,
      );
    }
  }
  const problems = await box.prepareModels(signal);
  if (signal.aborted) return;
  if (problems.length === 0) terminal.note("Ready: models answer.", "就绪：模型可以回答了。");
  for (const problem of problems) {
    terminal.note(
      `${problem.message}${problem.hint === undefined ? "" : ` ${problem.hint}`}`,
      `${problem.zh?.message ?? problem.message}${problem.zh?.hint === undefined ? "" : ` ${problem.zh.hint}`}`,
    );
  }
}
