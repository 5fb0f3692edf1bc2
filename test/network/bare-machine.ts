/** @file A machine with nothing on it: an empty root with a shell and the C library, for a bundle to be started in. Needs root. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** What every system has; neither node nor npm, no compiler, no libstdc++. */
const programs = ["sh", "head", "tail", "mkdir", "rm", "mv", "ln", "chmod", "uname", "id", "dirname", "cat"];

export type BareMachine = { readonly root: string; remove(): void };

export function makeBareMachine(bundle: string, nameserver: string): BareMachine {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-bare-"));
  for (const folder of ["bin", "usr/bin", "lib64", "proc", "dev", "tmp", "etc", "root", "opt", "srv"])
    fs.mkdirSync(path.join(root, folder), { recursive: true });
  const copy = (file: string, to = file): void => {
    const target = path.join(root, to);
    if (fs.existsSync(target)) return;
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(fs.realpathSync(file), target);
    fs.chmodSync(target, 0o755);
  };
  const libraries = new Set<string>();
  for (const name of programs) {
    const file = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    copy(file, `/bin/${name}`);
    for (const [, library = ""] of execFileSync("ldd", [fs.realpathSync(file)], { encoding: "utf8" }).matchAll(/(\/\S+\.so\S*)/g))
      libraries.add(library);
  }
  // The C library's own parts; Node brings or is given everything else.
  const libc = [...libraries].find((file) => path.basename(file) === "libc.so.6") ?? "/lib/x86_64-linux-gnu/libc.so.6";
  for (const name of ["libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2"]) {
    const file = path.join(path.dirname(libc), name);
    if (fs.existsSync(file)) libraries.add(file);
  }
  for (const library of libraries) copy(library);
  fs.writeFileSync(path.join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  fs.writeFileSync(path.join(root, "etc/nsswitch.conf"), "hosts: files dns\n");
  fs.writeFileSync(path.join(root, "etc/hosts"), "127.0.0.1 localhost\n");
  fs.writeFileSync(path.join(root, "etc/resolv.conf"), `nameserver ${nameserver}\noptions timeout:1 attempts:1\n`);
  for (const device of ["null", "zero", "urandom", "random"]) fs.writeFileSync(path.join(root, "dev", device), "");
  fs.linkSync(bundle, path.join(root, "srv/starbox.bundle"));
  return { root, remove: () => fs.rmSync(root, { recursive: true, force: true }) };
}

/** Shell words that enter the root; mounts end with the mount namespace they are made in. */
export function enter(root: string, command: string): string {
  const devices = ["null", "zero", "urandom", "random"].map((name) => `mount --bind /dev/${name} ${root}/dev/${name}`).join(" && ");
  return `mount --make-rprivate / && mount -t proc proc ${root}/proc && ${devices} && exec chroot ${root} /bin/sh -c '${command}'`;
}
