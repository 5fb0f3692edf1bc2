/** @file `starbox start`: serve until stopped. What is served is `app`'s business. */
import type { Command } from "commander";
import { wholeNumber } from "../options.ts";
import type { Builder } from "./builder.ts";

export function addStart(program: Command, { add, t, run }: Builder): void {
  const command = add(
    "start",
    ["serve: console, API and knowledge bases (same as npm start)", "启动服务：控制台、API 与知识库（同 npm start）"],
    ["starbox start", "starbox start --port 8480 --host 0.0.0.0 --data /srv/starbox"],
  )
    .option("--port <PORT>", t("port to listen on (STARBOX_PORT, default 8480)", "监听端口（STARBOX_PORT，默认 8480）"), wholeNumber(0, 65535))
    .option("--host <HOST>", t("address to listen on (STARBOX_HOST, default 127.0.0.1)", "监听地址（STARBOX_HOST，默认 127.0.0.1）"))
    .action(async (flags: { port?: number; host?: string }) => {
      await run(async ({ parts, settings, terminal, signal }) => {
        try {
          await parts.serve(settings, { terminal, signal });
        } catch (error) {
          if (!signal.aborted) throw error; // being told to stop is no failure, whatever it interrupted
        }
      }, flags);
    });
  program.addCommand(command);
}
