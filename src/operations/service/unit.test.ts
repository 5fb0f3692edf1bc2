/** @file The systemd unit as systemd itself reads it: no complaint, and little that could be taken away from it. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { renderUnit, type UnitOptions } from "./unit.ts";

const options: UnitOptions = {
  command: [process.execPath, "--conditions=starbox-source", "/opt/star box/main.ts"],
  user: "root",
  dataDir: "/var/lib/starbox",
  host: "0.0.0.0",
  port: 8480,
  writable: ["/mnt/backup"],
  devices: false,
  environment: { STARBOX_BACKUPS: "/mnt/backup", STARBOX_LANG: "zh 100%" },
};

test("says what it was told, with blanks and signs kept", () => {
  const unit = renderUnit(options);
  expect(unit).toContain('"/opt/star box/main.ts" start --data /var/lib/starbox --host 0.0.0.0 --port 8480\n');
  expect(unit).toContain('Environment="STARBOX_LANG=zh 100%%"\n');
  expect(unit).toContain("ReadWritePaths=/var/lib/starbox /mnt/backup\n");
  expect(unit).toContain("CapabilityBoundingSet=\n");
  expect(renderUnit({ ...options, port: 443 })).toContain("AmbientCapabilities=CAP_NET_BIND_SERVICE\n");
  expect(renderUnit({ ...options, devices: true })).toContain("PrivateDevices=no\n");
});

const analyze = spawnSync("systemd-analyze", ["--version"], { encoding: "utf8" });
const version = Number(/systemd (\d+)/.exec(analyze.stdout ?? "")?.[1] ?? 0);

test.skipIf(version < 250)("systemd-analyze verify has nothing to say; its security score is at most 3", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-unit-"));
  const file = path.join(folder, "starbox.service");
  fs.writeFileSync(file, renderUnit(options));
  const verified = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" });
  const own = verified.stderr.split("\n").filter((line) => line.includes("starbox.service"));
  expect(own).toEqual([]);
  const scored = spawnSync("systemd-analyze", ["security", "--offline=true", "--no-pager", file], { encoding: "utf8" });
  const score = Number(/exposure level for \S+: ([\d.]+)/.exec(scored.stdout)?.[1] ?? "10");
  expect(score, scored.stdout.slice(-2000)).toBeLessThanOrEqual(3);
  // A unit that asks for nothing scores above 9: the number means something.
  fs.writeFileSync(file, "[Service]\nExecStart=/bin/true\n");
  const open = spawnSync("systemd-analyze", ["security", "--offline=true", "--no-pager", file], { encoding: "utf8" });
  expect(Number(/exposure level for \S+: ([\d.]+)/.exec(open.stdout)?.[1] ?? "0")).toBeGreaterThan(8);
  fs.rmSync(folder, { recursive: true });
});
