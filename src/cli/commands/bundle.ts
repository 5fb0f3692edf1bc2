/** @file `starbox bundle` and `starbox upgrade`: one file for machines without a network, and the way to a newer one and back. */
import path from "node:path";
import type { Command } from "commander";
import { StarboxError } from "#base";
import { megabytes } from "./backup.ts";
import type { Builder } from "./builder.ts";

export function addBundle(program: Command, { add, t, run }: Builder): void {
  program.addCommand(
    add(
      "bundle",
      [
        "pack runtime, libraries, console and models into one file for a machine without a network",
        "将运行环境、依赖、控制台与模型打包为单个离线安装包",
      ],
      [
        "starbox bundle starbox.bundle",
        "starbox bundle starbox.bundle --models qwen3-0.6b,multilingual-e5-small",
        "sh starbox.bundle start --data /srv/starbox",
      ],
    )
      .argument("<OUT>", t("the file to write", "输出文件"))
      .option(
        "--models <IDS>",
        t(
          "models to pack, comma-separated; none: without (default: those in the data folder that are in use)",
          "要打包的模型，逗号分隔；none 表示不含模型（默认：数据文件夹中正在使用的模型）",
        ),
      )
      .action(async (out: string, flags: { models?: string }) => {
        await run(async ({ settings, parts, terminal, signal }) => {
          const workshop = await parts.workshop();
          const ids = flags.models === undefined ? null : flags.models === "none" ? [] : flags.models.split(",").map((id) => id.trim());
          const made = await workshop.bundle({ out: path.resolve(out), settings, models: ids, signal });
          terminal.result(
            made,
            terminal.text(
              `${made.file}: ${megabytes(made.sizeBytes)}, ${made.files} files, models: ${made.models.join(", ") || "none"}; in ${made.seconds} s.\nOn the other machine: sh ${path.basename(made.file)} start`,
              `${made.file}：${megabytes(made.sizeBytes)}，${made.files} 个文件，模型：${made.models.join("、") || "无"}；用时 ${made.seconds} 秒。\n在目标机器上运行：sh ${path.basename(made.file)} start`,
            ),
          );
        });
      }),
  );
}

export function addUpgrade(program: Command, { add, t, run }: Builder): void {
  program.addCommand(
    add(
      "upgrade",
      ["change to the version in a bundle, or back to the one before", "升级到安装包中的版本，或退回上一版本"],
      ["starbox upgrade starbox-0.2.bundle", "starbox upgrade --back"],
    )
      .argument("[FILE]", t("a bundle", "安装包"))
      .option("--back", t("back to the version and the database from before; the box must be stopped", "退回升级前的版本与数据库（须先停止星匣）"))
      .action(async (file: string | undefined, flags: { back?: boolean }) => {
        await run(async ({ settings, parts, terminal }) => {
          if ((file === undefined) === (flags.back !== true))
            throw new StarboxError("usage", "Give a bundle, or --back.", {
              hint: "starbox upgrade FILE",
              zh: { message: "请给出安装包，或使用 --back。", hint: "starbox upgrade 文件" },
            });
          const workshop = await parts.workshop();
          if (file === undefined) {
            const back = await workshop.upgradeBack(settings);
            terminal.result(
              back,
              [
                back.version === null ? null : terminal.text(`Back to ${back.version}.`, `已退回 ${back.version}。`),
                back.copy === null
                  ? terminal.text("The database needed no way back.", "数据库无需退回。")
                  : terminal.text(
                      `The database is that of ${back.copy.at}; the newer one is in ${back.setAside}.`,
                      `数据库已恢复为 ${back.copy.at} 的副本；较新的数据库位于 ${back.setAside}。`,
                    ),
              ]
                .filter((line) => line !== null)
                .join("\n"),
            );
            return;
          }
          const done = await workshop.upgrade(path.resolve(file), settings);
          terminal.result(
            done,
            terminal.text(
              `${done.from} → ${done.to}: unpacked, tried on a copy of the data.${done.restarted ? " The service was restarted." : " Restart the box to use it."}`,
              `${done.from} → ${done.to}：已解包，并在数据副本上试运行成功。${done.restarted ? "服务已重启。" : "请重启星匣以启用。"}`,
            ),
          );
        });
      }),
  );
}
