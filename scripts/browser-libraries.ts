/** @file Prints the Debian packages that hold the shared libraries the tests' browser needs and this machine lacks. Nothing: all there. */
import { spawnSync } from "node:child_process";
import chromium from "@sparticuz/chromium";

const packages: Readonly<Record<string, string>> = {
  "libnss3.so": "libnss3",
  "libnssutil3.so": "libnss3",
  "libsmime3.so": "libnss3",
  "libnspr4.so": "libnspr4",
  "libplc4.so": "libnspr4",
  "libplds4.so": "libnspr4",
  "libexpat.so.1": "libexpat1",
  "libdbus-1.so.3": "libdbus-1-3",
  "libfontconfig.so.1": "libfontconfig1",
  "libfreetype.so.6": "libfreetype6",
  "libglib-2.0.so.0": "libglib2.0-0",
  "libgobject-2.0.so.0": "libglib2.0-0",
  "libgio-2.0.so.0": "libglib2.0-0",
  "libX11.so.6": "libx11-6",
  "libuuid.so.1": "libuuid1",
  "libasound.so.2": "libasound2",
  "libatk-1.0.so.0": "libatk1.0-0",
  "libudev.so.1": "libudev1",
  "libgbm.so.1": "libgbm1",
  "libdrm.so.2": "libdrm2",
};

const found = spawnSync("ldd", [await chromium.executablePath()], { encoding: "utf8" });
const missing = [...(found.stdout ?? "").matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1]!);
const unknown = missing.filter((library) => packages[library] === undefined);
if (unknown.length > 0) console.error(`the browser needs ${unknown.join(", ")}; no package is known for them`);
console.log([...new Set(missing.flatMap((library) => packages[library] ?? []))].join(" "));
