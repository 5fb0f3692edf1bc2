/** @file PyTorch + PEFT as a peer of `bench train`: the same weights in a folder it reads, and a process that answers a line a request. */
import { spawn } from "node:child_process";
import fs from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { StarboxError } from "#base";
import type { TensorData, TensorSpec } from "#compute";

export type PeerRow = { readonly ids: readonly number[]; readonly weights: readonly number[] };
export type PeerSettings = {
  readonly folder: string;
  readonly threads: number;
  readonly rank: number;
  readonly alpha: number;
  readonly targets: readonly string[];
  readonly learningRate: number;
};
export type PeerRequest =
  | { readonly do: "step"; readonly rows: readonly PeerRow[]; readonly rate: number }
  | {
      readonly do: "run";
      readonly seed: number;
      readonly batches: readonly { readonly rows: readonly PeerRow[]; readonly rate: number }[];
      readonly heldOut: readonly PeerRow[];
    };
export type PeerAnswer = { readonly seconds: number; readonly loss: number; readonly right?: number };

/** Weights as the trainer holds them: bf16 matrices; vectors, which are f32, rounded to bf16 on both sides' paper only here. */
export async function writePeerModel(
  folder: string,
  metadata: Readonly<Record<string, unknown>>,
  tensors: ReadonlyMap<string, TensorSpec>,
  read: (name: string) => Promise<TensorData>,
): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  const file = await fs.open(path.join(folder, "weights.bin"), "w");
  const places: Record<string, { readonly at: number; readonly shape: readonly number[] }> = {};
  let at = 0;
  try {
    for (const [name, { dtype, shape }] of tensors) {
      const data = await read(name);
      const bits = dtype === "bf16" ? (data as Uint16Array) : roundToBf16(data as Float32Array);
      await file.write(new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength));
      places[name] = { at, shape };
      at += bits.length;
    }
  } finally {
    await file.close();
  }
  await fs.writeFile(path.join(folder, "model.json"), JSON.stringify({ metadata, tensors: places }));
}

function roundToBf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (b) => (b + 0x7fff + ((b >>> 16) & 1)) >>> 16);
}

export type TrainPeer = AsyncDisposable & { readonly about: string; ask(request: PeerRequest): Promise<PeerAnswer> };

/** Throws `unsupported` with Python's words. */
export async function startTrainPeer(python: string, settings: PeerSettings): Promise<TrainPeer> {
  const script = path.join(import.meta.dirname, "../../scripts/peers/torch_train.py");
  const child = spawn(python, ["-u", script], { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-2000);
  });
  const waiting: { readonly resolve: (line: string) => void; readonly reject: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.resolve(line));
  const failed = (): Error =>
    new StarboxError("unsupported", `The peer ${python} ended: ${errors.trim() || "no message"}`, {
      hint: "It needs scripts/golden/model-requirements.txt and peft.",
      zh: { message: `对比程序 ${python} 已退出。`, hint: "需要安装 scripts/golden/model-requirements.txt 与 peft。" },
    });
  const ended = (): void => {
    for (const { reject } of waiting.splice(0)) reject(failed());
  };
  child.once("error", ended);
  child.once("exit", ended);
  child.stdin.on("error", () => {});
  const ask = async <T>(request: object): Promise<T> => {
    if (child.exitCode !== null) throw failed();
    const answer = new Promise<string>((resolve, reject) => waiting.push({ resolve, reject }));
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return JSON.parse(await answer) as T;
  };
  const { dtype, torch, peft } = await ask<{ dtype: string; torch: string; peft: string }>(settings);
  return {
    about: `PyTorch ${torch} + PEFT ${peft} eager, ${dtype}`,
    ask: (request) => ask<PeerAnswer>(request),
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      child.kill();
    },
  };
}
