/** @file `starbox doctor`: what works on this machine, what does not, what to do. */
import type { Command } from "commander";
import { withBox } from "../cli.ts";
import type { Builder } from "./builder.ts";

export function addDoctor(program: Command, { add, run }: Builder): void {
  const command = add(
    "doctor",
    ["check machine, disk, models and ports, and say what to do", "检查机器、磁盘、模型与端口，并给出建议"],
    ["starbox doctor", "starbox doctor --json"],
  ).action(async () => {
    await run(async (cli) => {
      const { terminal } = cli;
      const checks = await withBox(cli, async ({ services }) => await services.system.doctor());
      for (const check of checks) {
        const { zh, ...line } = check;
        const hint = terminal.text(check.hint, zh.hint);
        terminal.result(
          line,
          `${check.ok ? "✓" : "✗"} ${terminal.text(`${check.name}: ${check.found}`, `${zh.name}：${zh.found}`)}${check.ok || hint === "" ? "" : `\n    ${hint}`}`,
        );
      }
      const bad = checks.filter((check) => !check.ok).length;
      if (!terminal.json)
        terminal.note(
          bad === 0 ? "Everything works." : `${bad} of ${checks.length} checks need attention.`,
          bad === 0 ? "一切正常。" : `${checks.length} 项检查中有 ${bad} 项需要处理。`,
        );
    });
  });
  program.addCommand(command);
}
