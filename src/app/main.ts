/** @file The program: hands the composition root to the command line. `npm start` is `starbox start`. */
import { outbound } from "#base";
import { type CliParts, runCli } from "#cli";
import { benchNames, runBench } from "./bench.ts";
import { readVersion } from "./system-service.ts";

// Before anything else is loaded: no library opens a connection behind our back.
outbound.guard();

// `starbox … | head`: who reads no further has had enough. As other programs end by SIGPIPE, without a word.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(141);
  throw error;
});

const parts: CliParts = {
  version: readVersion(),
  // The box's rooms are loaded when they are needed: a command that talks to a running box starts in half the time and memory.
  async openBox(settings) {
    const { openBox } = await import("./open-box.ts");
    const box = openBox(settings, { serving: false });
    await box.start();
    await box.chooseDefaults(AbortSignal.timeout(10_000));
    return { services: box.services, close: () => box.close() };
  },
  serve: async (settings, options) => await (await import("./serve.ts")).serve(settings, options),
  workshop: async () => (await import("./workshop.ts")).workshop,
  operators: async () => (await import("./operators.ts")).operators,
  training: async () => (await import("./training.ts")).training,
  benchNames,
  bench: runBench,
};

process.exitCode = await runCli(process.argv.slice(2), parts);
