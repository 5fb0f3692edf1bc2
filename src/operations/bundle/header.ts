/** @file The first bytes of a bundle: a shell script that unpacks the rest once and becomes the program. Needs a shell, head, tail and a few more of every system. */
import type { BundledModel, BundleMeta } from "./bundle.ts";

/** The script is padded to this, so that everything behind it lies at a known place. */
export const headerBytes = 8192;

/** `run` in each version's folder: settings that fit what the bundle brings, unless others are given. */
export function runScript(models: readonly BundledModel[]): string {
  const first = (kind: string): string => models.find((model) => model.kind === kind)?.id ?? "none";
  return `#!/bin/sh
now=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P)
export STARBOX_BUNDLE="$(dirname "$(dirname "$now")")"
export LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$now/lib"
: "\${STARBOX_OFFLINE=1}" "\${STARBOX_MODEL_FOLDER=$now/models}" "\${STARBOX_MODEL=${first("language")}}" "\${STARBOX_EMBEDDER=${first("embedding")}}"
export STARBOX_OFFLINE STARBOX_MODEL_FOLDER STARBOX_MODEL STARBOX_EMBEDDER
exec "$now/bin/node" --conditions=starbox-source --disable-warning=ExperimentalWarning "$now/app/src/app/main.ts" "$@"
`;
}

const take = (part: { readonly offset: number; readonly size: number }, to: string): string =>
  `tail -c +${part.offset + 1} "$self" | head -c ${part.size} > "$work/${to}"`;

export function bundleHeader(meta: BundleMeta): Buffer {
  const name = `${meta.version}-${meta.payload.sha256.slice(0, 12)}`;
  const machine = meta.platform.endsWith("x64") ? "x86_64" : "aarch64";
  const script = `#!/bin/sh
# Starbox ${meta.version}: one file, no network. sh THIS_FILE start   (installs below $STARBOX_HOME, /opt/starbox or ~/.local/share/starbox)
# meta ${JSON.stringify(meta)}
set -e
self=$0
case $self in /*) ;; *) self=$(pwd)/$self ;; esac
if [ "$(uname -m)" != ${machine} ]; then echo "starbox: this bundle is for ${meta.platform} / 此安装包适用于 ${meta.platform}" >&2; exit 1; fi
if [ -n "$STARBOX_HOME" ]; then home=$STARBOX_HOME
elif [ "$(id -u)" = 0 ]; then home=/opt/starbox
else home=$HOME/.local/share/starbox; fi
version="$home/versions/${name}"
if [ ! -f "$version/.complete" ]; then
  echo "starbox: unpacking ${meta.version} into $home (once) / 正在解包到 $home（仅一次）" >&2
  work="$home/versions/.new-$$"
  rm -rf "$work" "$version"; mkdir -p "$work/bin" "$work/lib"
  trap 'rm -rf "$work"' EXIT INT TERM
  ${take(meta.node, "bin/node")}
  ${take(meta.unpack, "unpack.mts")}
${meta.libraries.map((library) => `  ${take(library, `lib/${library.name}`)}`).join("\n")}
  chmod 755 "$work/bin/node"
  LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$work/lib" "$work/bin/node" --disable-warning=ExperimentalWarning "$work/unpack.mts" "$self" ${meta.payload.offset} ${meta.payload.size} ${meta.payload.sha256} "$work"
  rm "$work/unpack.mts"
  mv "$work" "$version"
  trap - EXIT INT TERM
fi
if [ "$1" = --unpack-only ]; then exit 0; fi
if [ ! -e "$home/current" ]; then
  ln -s "versions/${name}" "$home/current"
  printf '#!/bin/sh\\nexec "%s/current/run" "$@"\\n' "$home" > "$home/starbox"
  chmod 755 "$home/starbox"
fi
if [ "$(cd "$home/current" && pwd -P)" != "$(cd "$version" && pwd -P)" ]; then
  echo "starbox: another version is installed in $home. To change to this one: $home/starbox upgrade $self / 已安装其他版本，升级请运行：$home/starbox upgrade $self" >&2
  exit 1
fi
exec "$home/starbox" "$@"
`;
  const bytes = Buffer.alloc(headerBytes, "\n");
  const text = Buffer.from(script);
  if (text.byteLength > headerBytes) throw new Error(`the header has ${text.byteLength} bytes, at most ${headerBytes}`);
  text.copy(bytes);
  return bytes;
}
