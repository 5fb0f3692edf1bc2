/** @file Puts the unit in place and starts it, or takes it away. Needs root; the data stays in either case. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { StarboxError } from "#base";
import { renderUnit, type UnitOptions } from "./unit.ts";

export const unitFile = "/etc/systemd/system/starbox.service";

const run = (command: string, ...args: readonly string[]): { readonly ok: boolean; readonly output: string } => {
  const { status, stdout, stderr } = spawnSync(command, [...args], { encoding: "utf8" });
  return { ok: status === 0, output: `${stdout ?? ""}${stderr ?? ""}`.trim() };
};
function must(command: string, ...args: readonly string[]): void {
  const { ok, output } = run(command, ...args);
  if (!ok)
    throw new StarboxError("internal", `${command} ${args.join(" ")} failed: ${output || "not found"}.`, {
      hint: "starbox service show prints the unit; it can be installed by hand.",
      zh: {
        message: `${command} ${args.join(" ")} 失败：${output || "未找到该命令"}。`,
        hint: "starbox service show 可输出 unit 文件，供手工安装。",
      },
    });
}

function requireRoot(): void {
  if (process.getuid?.() === 0 && fs.existsSync("/run/systemd/system")) return;
  throw new StarboxError("usage", "Installing the service needs root and a system run by systemd.", {
    hint: "sudo ./starbox service install. To see the unit only: starbox service show.",
    zh: {
      message: "安装服务需要 root 权限，且系统由 systemd 管理。",
      hint: "请使用 sudo ./starbox service install；仅查看 unit：starbox service show。",
    },
  });
}

/** The account must be able to read the program: a clone in /root or in a closed home cannot be a service. */
function requireReadable(command: readonly string[], user: string): void {
  for (const file of command.filter((word) => path.isAbsolute(word))) {
    if (run("runuser", "-u", user, "--", "test", "-r", file).ok && !/^\/(root|home)\//.test(fs.realpathSync(file))) continue;
    throw new StarboxError("usage", `The account ${user} cannot read ${file}.`, {
      hint: "Install from a bundle (starbox bundle; sh FILE start puts it into /opt/starbox), or move the clone to /opt.",
      zh: {
        message: `账户 ${user} 无法读取 ${file}。`,
        hint: "请使用安装包（starbox bundle，sh 文件 start 会安装到 /opt/starbox），或将源码目录移到 /opt。",
      },
    });
  }
}

export function installService(options: UnitOptions): { readonly unit: string; readonly active: boolean } {
  requireRoot();
  if (!run("id", "-u", options.user).ok)
    must("useradd", "--system", "--home-dir", options.dataDir, "--shell", "/usr/sbin/nologin", "--user-group", options.user);
  requireReadable(options.command, options.user);
  for (const folder of [options.dataDir, ...options.writable]) {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    must("chown", "-R", `${options.user}:${options.user}`, folder);
  }
  fs.mkdirSync("/etc/starbox", { recursive: true, mode: 0o755 });
  fs.writeFileSync(`${unitFile}.new`, renderUnit(options), { mode: 0o644 });
  fs.renameSync(`${unitFile}.new`, unitFile);
  must("systemctl", "daemon-reload");
  must("systemctl", "enable", "--now", "starbox");
  return { unit: unitFile, active: run("systemctl", "is-active", "starbox").ok };
}

export function removeService(): void {
  requireRoot();
  run("systemctl", "disable", "--now", "starbox");
  fs.rmSync(unitFile, { force: true });
  must("systemctl", "daemon-reload");
}
