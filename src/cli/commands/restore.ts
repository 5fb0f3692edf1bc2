/** @file `starbox restore`: a backup back into a data folder that no box uses. */
import path from "node:path";
import type { Command } from "commander";
import { backupTable, megabytes } from "./backup.ts";
import type { Builder } from "./builder.ts";

type Flags = { list?: boolean; id?: string; force?: boolean; keyFile?: string };

export function addRestore(program: Command, { add, t, run }: Builder): void {
  const command = add(
    "restore",
    ["bring a backup back into an empty data folder; the box must be stopped", "将备份恢复到空的数据文件夹（须先停止星匣）"],
    [
      "starbox restore /mnt/backup --data /srv/starbox",
      "starbox restore /mnt/backup --list",
      "starbox restore --id 20260301023000123-a1b2c3 --force",
      "starbox restore /mnt/backup --key-file /root/backup.key",
    ],
  )
    .argument(
      "[FOLDER]",
      t(
        "where the backups are (default: STARBOX_BACKUPS, else backups/ in the data folder)",
        "备份所在文件夹（默认 STARBOX_BACKUPS，或数据文件夹中的 backups/）",
      ),
    )
    .option("--list", t("only show which backups there are", "只列出已有备份"))
    .option("--id <ID>", t("which one (default: the newest)", "备份编号（默认最新）"))
    .option("--force", t("move what is in the data folder aside", "将数据文件夹中的现有内容移到一旁"))
    .option("--key-file <FILE>", t("file with the passphrase (STARBOX_BACKUP_KEY_FILE)", "口令文件（STARBOX_BACKUP_KEY_FILE）"))
    .action(async (given: string | undefined, flags: Flags) => {
      await run(async ({ settings, parts, terminal }) => {
        const workshop = await parts.workshop();
        const folder = path.resolve(given ?? (settings.backups === "" ? path.join(settings.data, "backups") : settings.backups));
        const keyFile = flags.keyFile ?? settings.backupKeyFile;
        if (flags.list === true) {
          const backups = await workshop.listBackups(folder, keyFile);
          if (terminal.json) for (const backup of backups) terminal.result(backup, "");
          else terminal.result(null, backupTable(backups, terminal));
          return;
        }
        const done = await workshop.restore({ folder, keyFile, dataDir: settings.data, id: flags.id ?? null, force: flags.force === true });
        terminal.result(
          done,
          terminal.text(
            `Restored ${done.id} of ${done.at}: ${done.files} files, ${megabytes(done.sizeBytes)}, checked, in ${settings.data}.`,
            `已恢复 ${done.at} 的备份 ${done.id}：${done.files} 个文件，${megabytes(done.sizeBytes)}，校验无误，位于 ${settings.data}。`,
          ),
        );
        if (done.setAside !== null) terminal.note(`What was there is now in ${done.setAside}.`, `原有数据已移至 ${done.setAside}。`);
        for (const model of done.missingModels)
          terminal.note(
            `Model ${model.id} (${model.source}) is not in the backup: the box fetches it when it starts, or bring it with starbox models import.`,
            `备份不含模型 ${model.id}（${model.source}）：星匣启动时会重新获取，也可用 starbox models import 导入。`,
          );
      });
    });
  program.addCommand(command);
}
