/** @file `starbox backup`: now, by night, and the rehearsal. Restoring is another command: it needs the box stopped. */
import type { Command } from "commander";
import type { BackupInfo, BackupSchedule } from "#contracts";
import { withBox } from "../cli.ts";
import { wholeNumber } from "../options.ts";
import { type Terminal, table } from "../terminal.ts";
import type { Builder } from "./builder.ts";

export const megabytes = (bytes: number): string => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`);

export function backupTable(backups: readonly BackupInfo[], terminal: Terminal): string {
  return table(
    backups.map((backup) => [
      backup.id,
      new Date(backup.at).toLocaleString(),
      megabytes(backup.sizeBytes),
      `+${megabytes(backup.storedBytes)}`,
      backup.encrypted ? terminal.text("encrypted", "已加密") : "",
      `Starbox ${backup.version}`,
    ]),
  );
}

export function addBackup(program: Command, { add, t, run }: Builder): void {
  const backup = add(
    "backup",
    ["back up the box while it serves; schedule nights, rehearse a restore", "不停机备份；设置每晚备份、演练恢复"],
    ["starbox backup", "starbox backup list", "starbox backup nightly --at 02:30 --keep-daily 7", "starbox backup rehearse"],
  )
    .option("--with-models", t("put the model files in too (gigabytes); without: named by hash", "连同模型文件一起备份（数 GB）；默认只记录其哈希"))
    .action(async (flags: { withModels?: boolean }) => {
      await run(async (cli) => {
        const made = await withBox(cli, async ({ services }) => await services.operations.backup({ withModels: flags.withModels === true }));
        const { folder, sameDisk } = await withBox(cli, async ({ services }) => await services.operations.readState());
        cli.terminal.result(
          made,
          cli.terminal.text(
            `Backup ${made.id}: ${made.files} files, ${megabytes(made.sizeBytes)}, ${megabytes(made.storedBytes)} of them new, in ${made.seconds} s; in ${folder}.`,
            `备份 ${made.id}：${made.files} 个文件，共 ${megabytes(made.sizeBytes)}，其中新增 ${megabytes(made.storedBytes)}，用时 ${made.seconds} 秒；位于 ${folder}。`,
          ),
        );
        if (sameDisk)
          cli.terminal.note(
            "It lies on the same disk as the data: set STARBOX_BACKUPS to a folder on another one.",
            "备份与数据在同一块磁盘上：请用 STARBOX_BACKUPS 指定另一块磁盘上的文件夹。",
          );
      });
    });

  backup.addCommand(
    add("list", ["backups there are, newest first", "列出备份，新的在前"], ["starbox backup list"]).action(async () => {
      await run(async (cli) => {
        const backups = await withBox(cli, async ({ services }) => await services.operations.listBackups());
        if (cli.terminal.json) for (const item of backups) cli.terminal.result(item, "");
        else if (backups.length === 0) cli.terminal.note("No backup yet: starbox backup.", "还没有备份：starbox backup。");
        else cli.terminal.result(null, backupTable(backups, cli.terminal));
      });
    }),
  );
  backup.addCommand(
    add(
      "rehearse",
      ["restore into a folder of its own, check it, remove it", "演练恢复：恢复到临时文件夹并检查"],
      ["starbox backup rehearse", "starbox backup rehearse ID"],
    )
      .argument("[ID]", t("which backup (default: the newest)", "备份编号（默认最新）"))
      .action(async (id: string | undefined) => {
        await run(async (cli) => {
          const report = await withBox(cli, async ({ services }) => await services.operations.rehearse(id));
          const lines = report.checks.map((check) => `${check.ok ? "✓" : "✗"} ${check.name}: ${check.found}`);
          cli.terminal.result(
            report,
            [
              ...lines,
              report.ok
                ? cli.terminal.text(
                    `${report.backupId} can be restored (${report.seconds} s).`,
                    `${report.backupId} 可以恢复（用时 ${report.seconds} 秒）。`,
                  )
                : cli.terminal.text(`${report.backupId} cannot be restored.`, `${report.backupId} 无法恢复。`),
            ].join("\n"),
          );
          return report.ok ? 0 : 1;
        });
      }),
  );
  addNightly(backup, { add, t, run });
  program.addCommand(backup);
}

type NightlyFlags = { at?: string; off?: boolean; keepDaily?: number; keepWeekly?: number; keepMonthly?: number; rehearse?: boolean };

function addNightly(backup: Command, { add, t, run }: Pick<Builder, "add" | "t" | "run">): void {
  const count = wholeNumber(0, 1000);
  backup.addCommand(
    add(
      "nightly",
      ["show or change the nightly schedule", "查看或修改每晚备份计划"],
      ["starbox backup nightly", "starbox backup nightly --at 02:30 --keep-daily 7 --keep-weekly 4 --keep-monthly 6", "starbox backup nightly --off"],
    )
      .option("--at <HH:MM>", t("switch on, at this local time", "启用，并设定本地时间"))
      .option("--off", t("switch off", "停用"))
      .option("--keep-daily <N>", t("days to keep one of", "保留最近多少天"), count)
      .option("--keep-weekly <N>", t("weeks to keep one of", "保留最近多少周"), count)
      .option("--keep-monthly <N>", t("months to keep one of", "保留最近多少个月"), count)
      .option("--no-rehearse", t("do not rehearse a restore after each", "备份后不演练恢复"))
      .action(async (flags: NightlyFlags, command: Command) => {
        await run(async (cli) => {
          const patch: { -readonly [K in keyof BackupSchedule]?: BackupSchedule[K] } = {};
          if (flags.at !== undefined) Object.assign(patch, { at: flags.at, enabled: true });
          if (flags.off === true) patch.enabled = false;
          for (const key of ["keepDaily", "keepWeekly", "keepMonthly"] as const) if (flags[key] !== undefined) patch[key] = flags[key];
          if (command.getOptionValueSource("rehearse") === "cli") patch.rehearse = flags.rehearse === true;
          else if (flags.at !== undefined) patch.rehearse = true;
          const state = await withBox(cli, async ({ services }) =>
            Object.keys(patch).length === 0 ? await services.operations.readState() : await services.operations.writeSchedule(patch),
          );
          const { schedule, nextAt, folder } = state;
          const keep = `${schedule.keepDaily}/${schedule.keepWeekly}/${schedule.keepMonthly}`;
          cli.terminal.result(
            state,
            schedule.enabled
              ? cli.terminal.text(
                  `Every night at ${schedule.at} into ${folder}; keeps ${keep} (daily/weekly/monthly)${schedule.rehearse ? ", rehearses each" : ""}; next ${nextAt ?? "?"}.`,
                  `每天 ${schedule.at} 备份到 ${folder}；保留 ${keep}（日/周/月）${schedule.rehearse ? "，并演练恢复" : ""}；下次 ${nextAt ?? "?"}。`,
                )
              : cli.terminal.text(
                  "No nightly backup. Switch on: starbox backup nightly --at 02:30",
                  "未启用每晚备份。启用：starbox backup nightly --at 02:30",
                ),
          );
        });
      }),
  );
}
