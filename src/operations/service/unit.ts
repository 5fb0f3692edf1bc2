/** @file The systemd unit: an account of its own, a sandbox around it, restart, journal. Text only; installing is elsewhere. */

export type UnitOptions = {
  /** Program and its first words; what follows is added here. */
  readonly command: readonly string[];
  readonly user: string;
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  /** More folders it may write to (backups on another disk). */
  readonly writable: readonly string[];
  /** A GPU is used: devices stay visible. */
  readonly devices: boolean;
  /** Settings, as in docs/env.md; secrets belong in /etc/starbox/starbox.env. */
  readonly environment: Readonly<Record<string, string>>;
};

const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word.replaceAll("%", "%%") : `"${word.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%")}"`;

export function renderUnit(options: UnitOptions): string {
  const { command, user, dataDir, host, port, writable, devices, environment } = options;
  const capability = port < 1024 ? "CAP_NET_BIND_SERVICE" : "";
  const isState = dataDir === "/var/lib/starbox";
  return `# Written by "starbox service install". Changes: systemctl edit starbox; settings: /etc/starbox/starbox.env
[Unit]
Description=Starbox: language models and documents on this machine
After=network.target
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=exec
User=${user}
Group=${user}
ExecStart=${[...command, "start", "--data", dataDir, "--host", host, "--port", String(port)].map(quote).join(" ")}
${Object.entries(environment)
  .map(([key, value]) => `Environment=${quote(`${key}=${value}`)}\n`)
  .join("")}EnvironmentFile=-/etc/starbox/starbox.env
WorkingDirectory=${dataDir}
Restart=always
RestartSec=2
# Streams end, jobs stop at safe points; engines go with the box.
KillMode=mixed
TimeoutStopSec=60
StandardOutput=journal
StandardError=journal
SyslogIdentifier=starbox
UMask=0077
LimitNOFILE=65536
# One engine that grows too large ends alone.
OOMPolicy=continue
${isState ? "StateDirectory=starbox\nStateDirectoryMode=0700\n" : ""}
# What it may touch: its own folders; the rest of the system is read-only or not there.
NoNewPrivileges=yes
CapabilityBoundingSet=${capability}
AmbientCapabilities=${capability}
ProtectSystem=strict
ReadWritePaths=${[dataDir, ...writable].map(quote).join(" ")}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=${devices ? "no" : "yes"}
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}
