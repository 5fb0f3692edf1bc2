/** @file `starbox service`: as a service of the system, with an account and a sandbox of its own. */
import type { Command } from "commander";
import { wholeNumber } from "../options.ts";
import type { Builder } from "./builder.ts";

type Flags = { user: string; port?: number; host?: string; backups?: string };

export function addService(program: Command, { add, t, run }: Builder): void {
  const service = add(
    "service",
    ["run the box as a service of the system (systemd)", "作为系统服务运行（systemd）"],
    ["sudo starbox service install --data /var/lib/starbox --host 0.0.0.0", "starbox service show", "journalctl -u starbox -f"],
  );
  const options = (command: Command): Command =>
    command
      .option("--user <NAME>", t("account it runs under; made when it is not there", "运行账户，不存在时自动创建"), "starbox")
      .option("--port <PORT>", t("port to listen on", "监听端口"), wholeNumber(1, 65535))
      .option("--host <HOST>", t("address to listen on", "监听地址"))
      .option("--backups <DIR>", t("folder for backups on another disk", "另一块磁盘上的备份文件夹"));
  service.addCommand(
    options(
      add(
        "install",
        ["make account, unit and data folder; enable and start", "创建账户、unit 与数据文件夹，启用并启动"],
        ["sudo starbox service install"],
      ),
    ).action(async (flags: Flags) => {
      await run(
        async ({ parts, settings, terminal }) => {
          const done = (await parts.workshop()).installService(settings, flags);
          terminal.result(
            done,
            terminal.text(
              `${done.unit} is installed and ${done.active ? "runs" : "does not run yet"}. Its words: journalctl -u starbox`,
              `${done.unit} 已安装，${done.active ? "正在运行" : "尚未运行"}。日志：journalctl -u starbox`,
            ),
          );
          return done.active ? 0 : 1;
        },
        flags.port === undefined ? {} : { port: flags.port },
      );
    }),
  );
  service.addCommand(
    options(add("show", ["print the unit that install would write", "输出将要安装的 unit 文件"], ["starbox service show > starbox.service"])).action(
      async (flags: Flags) => {
        await run(async ({ parts, settings, terminal }) => {
          const unit = (await parts.workshop()).renderService(settings, flags);
          terminal.result({ unit }, unit.trimEnd());
        });
      },
    ),
  );
  service.addCommand(
    add("remove", ["stop and remove the service; data stays", "停止并移除服务，数据保留"], ["sudo starbox service remove"]).action(async () => {
      await run(async ({ parts, terminal }) => {
        (await parts.workshop()).removeService();
        terminal.result({ removed: true }, terminal.text("The service is removed; the data stays.", "服务已移除，数据保留。"));
      });
    }),
  );
  program.addCommand(service);
}
