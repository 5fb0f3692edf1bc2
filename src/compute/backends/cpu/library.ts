/** @file Finds the compiled kernels, or compiles them: the build itself is native/build.mjs. */
import path from "node:path";
import { StarboxError } from "#base";
import { packageFile } from "../../package-file.ts";

type Build = {
  readonly buildNative: (options?: { readonly variant?: string; readonly progress?: (done: number, all: number) => void }) => Promise<string>;
  readonly findCompiler: () => { readonly compiler: string; readonly version: string } | null;
  readonly libraryPath: (variant: string, architecture: string) => string | null;
};

const build = async (): Promise<Build> => (await import(packageFile("native/build.mjs").href)) as Build;

/** `emulated`: the AVX-512 tiers with emulated intrinsics; `asan` (with UBSan), `tsan`: with sanitizers. For tests only. */
export type NativeVariant = "release" | "emulated" | "asan" | "tsan";

/** The library's path; compiles it first when these sources were not compiled yet (under a minute). Throws device_unsupported without a compiler, native_failed with its words. */
export async function ensureNative(variant: NativeVariant = "release", progress?: (done: number, all: number) => void): Promise<string> {
  const { buildNative, findCompiler } = await build();
  if (findCompiler() === null) {
    throw new StarboxError("device_unsupported", "cpu: no C++ compiler (c++, g++ or clang++) was found to build the kernels.", {
      hint: "Install one (Debian: apt-get install g++), or use the device ggml, which needs none.",
      zh: {
        message: "cpu 设备：未找到用于编译算子的 C++ 编译器（c++、g++ 或 clang++）。",
        hint: "请安装编译器（Debian：apt-get install g++），或改用无需编译的 ggml 设备。",
      },
    });
  }
  try {
    return await buildNative({ variant, ...(progress === undefined ? {} : { progress }) });
  } catch (error) {
    throw new StarboxError("native_failed", `The native kernels could not be compiled: ${(error as Error).message}`, {
      hint: "`node native/build.mjs` shows the compiler's messages; GCC 10 or newer is needed.",
      zh: { message: `原生算子编译失败：${(error as Error).message}`, hint: "运行 node native/build.mjs 可查看编译器输出；需要 GCC 10 或更高版本。" },
      cause: error,
    });
  }
}

/** The name of what these sources compile to for another architecture: results of emulated runs are of one such build. Null without its cross compiler. */
export async function crossBuild(architecture: "arm64" | "x64"): Promise<string | null> {
  const library = (await build()).libraryPath("release", architecture);
  return library === null ? null : path.basename(path.dirname(library));
}

/** What a processor that is not this machine's is called, where its kernels were run under emulation. */
export const emulatedDevice = (architecture: string, tier: string): string => `cpu ${architecture} ${tier}`;
