/** @file The program: hands the composition root to the command line. `npm start` is `starbox start`. */
import { type CliParts, runCli } from "#cli";
import { benchNames, runBench } from "./bench.ts";
import { openBox } from "./open-box.ts";
import { serve } from "./serve.ts";
import { readVersion } from "./system-service.ts";

const parts: CliParts = {
  version: readVersion(),
  async openBox(settings) {
    const box = openBox(settings, { serving: false });
    await box.start();
    return { services: box.services, close: () => box.close() };
  },
  serve,
  benchNames,
  bench: runBench,
};

process.exitCode = await runCli(process.argv.slice(2), parts);
