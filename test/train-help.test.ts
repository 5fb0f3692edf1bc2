/** @file `starbox train --help` shows the trainer's own keys and defaults. */
import { expect, test } from "vitest";
import { parseRunConfig } from "#train";
import { runHelp } from "../src/cli/commands/train.ts";

test("the run file in the help is every key with its default", () => {
  const shown = JSON.parse(runHelp) as { base: string; dataset: string };
  const config = parseRunConfig({ base: shown.base, dataset: shown.dataset });
  expect(parseRunConfig(shown)).toEqual(config);
  expect(Object.keys(shown).sort()).toEqual(Object.keys(config).sort());
});
