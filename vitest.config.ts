/** @file How tests run: from source on Node 26, two at a time; what starts models, boxes or browsers goes one file at a time. */
import { defineConfig } from "vitest/config";

const long = process.env["STARBOX_TEST_LONG"] === "1";
/** Files that load a model or start a whole box: memory and time measured inside them must not be disturbed by neighbours. */
const heavy = ["test/e2e/**/*.test.ts", "test/**/*{model,openai,box,crash,answer}*.test.ts", "src/**/*{real,model,engine}*.test.ts"];
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
          exclude: [...heavy, "**/node_modules/**"],
          testTimeout: long ? 600_000 : 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          ...shared,
          name: "heavy",
          include: heavy,
          exclude: ["**/node_modules/**"],
          fileParallelism: false,
          testTimeout: long ? 3_600_000 : 180_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
