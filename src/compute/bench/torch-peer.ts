/** @file PyTorch as a peer: a process that answers one timing a request. For measuring only; nothing of Python is needed to run. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { StarboxError } from "#base";
import { packageFile } from "../package-file.ts";
import type { OutsidePeer } from "./bench-ops.ts";

/** Throws `unsupported` when the interpreter or torch is missing. */
export function startTorchPeer(python: string, threads: number): OutsidePeer & AsyncDisposable {
  const script = fileURLToPath(packageFile("scripts/peers/torch_ops.py"));
  const child = spawn(python, ["-u", script], { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-2000);
  });
  const waiting: { readonly resolve: (line: string) => void; readonly reject: (error: Error) => void }[] = [];
  const failed = (): Error =>
    new StarboxError("unsupported", `The peer ${python} ended: ${errors.trim() || "no message"}`, {
      hint: "It needs scripts/peers/requirements.txt installed.",
    });
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.resolve(line));
  const ended = (): void => {
    for (const { reject } of waiting.splice(0)) reject(failed());
  };
  child.once("error", ended);
  child.once("exit", ended);
  child.stdin.on("error", () => {});
  return {
    name: "torch",
    async seconds(request) {
      if (child.exitCode !== null) throw failed();
      const answer = new Promise<string>((resolve, reject) => waiting.push({ resolve, reject }));
      child.stdin.write(`${JSON.stringify({ ...request, threads })}\n`);
      return (JSON.parse(await answer) as { seconds: number }).seconds;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      child.kill();
    },
  };
}
