/** @file How tests run: from source on Node 26, two files at a time; what measures a box or keeps both cores busy with a model, one file at a time. */
import { defineConfig } from "vitest/config";

const long = process.env["STARBOX_TEST_LONG"] === "1";
/** Whole boxes and browsers that mostly wait for each other: a neighbour does them no harm. */
const boxes = ["test/e2e/**/*.test.ts", "test/{bad-days,bad-files,cli,egress,hostile,people-cli,restore}-box.test.ts"];
/** Files that load a model, or measure a box: memory and time inside them must not be disturbed by neighbours. */
const heavy = ["test/**/*{model,openai,box,crash,answer}*.test.ts", "src/**/*{real,model,engine}*.test.ts"];
const conditions = ["starbox-source", "node", "import", "module", "default"];

const shared = {
  environment: "node" as const,
  pool: "forks" as const,
  restoreMocks: true,
  execArgv: ["--conditions=starbox-source", "--disable-warning=ExperimentalWarning"],
  server: { deps: { inline: [] } },
};

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    reporters: ["./scripts/test-reporter.ts"],
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: "unit",
          include: ["src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts", "console/src/**/*.test.ts"],
          exclude: [...boxes, ...heavy, "**/node_modules/**"],
          testTimeout: long ? 600_000 : 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          ...shared,
          name: "boxes",
          include: boxes,
          exclude: ["**/node_modules/**"],
          testTimeout: long ? 3_600_000 : 180_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          ...shared,
          name: "heavy",
          include: heavy,
          exclude: [...boxes, "**/node_modules/**"],
          fileParallelism: false,
          testTimeout: long ? 3_600_000 : 180_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
