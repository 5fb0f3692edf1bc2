/** @file The law of the rooms: who may import whom. People read the table; the rules are derived from it. */

/** Room -> rooms it may import (besides itself). A room that is not here may import nothing and be imported by nobody but `app`. */
const allowed = {
  base: [],
  contracts: ["base"],
  nn: ["base", "compute"],
  formats: ["base"],
  compute: ["base"], // no model, no text, no HTTP: usable alone
  infer: ["base", "contracts", "compute", "nn", "formats"], // generation on our own operators; knows no catalogue and no process
  train: ["base", "contracts", "compute", "nn", "formats"], // from examples to adapters; text becomes tokens through what app hands in
  alignment: ["base", "compute", "nn", "formats"], // is a whole model right on a device? Engines to compare with are handed in
  storage: ["base", "contracts"],
  jobs: ["base", "contracts", "storage"], // the queue is a table
  models: ["base", "contracts", "formats", "compute", "infer"], // compute, infer: what an engine process loads
  knowledge: ["base", "contracts", "formats", "storage"], // storage: types only, app hands the thing in
  assistants: ["base", "contracts", "storage"], // storage: types only
  audit: ["base", "contracts", "storage"], // storage: types only
  metering: ["base", "contracts", "storage"], // storage: types only
  privacy: ["base", "contracts", "storage"], // storage: types only
  platform: ["base", "contracts", "storage"], // storage: types only
  operations: ["base", "contracts"], // backups, nights, bundles, the system's service; storage is handed in
  server: ["base", "contracts"],
  client: ["base", "contracts"],
  cli: ["base", "contracts", "client"],
  bench: ["base", "contracts", "client"],
  app: [
    "base",
    "contracts",
    "compute",
    "nn",
    "formats",
    "alignment",
    "infer",
    "train",
    "storage",
    "jobs",
    "models",
    "knowledge",
    "assistants",
    "audit",
    "metering",
    "privacy",
    "platform",
    "operations",
    "server",
    "client",
    "cli",
    "bench",
  ],
};

const tests = "\\.test\\.tsx?$";

const arrows = Object.entries(allowed).map(([room, rooms]) => ({
  name: `${room}-arrows`,
  comment: `${room} may import only: ${rooms.join(", ") || "nothing"}.`,
  severity: "error",
  from: { path: `^src/${room}/`, pathNot: tests },
  to: { path: "^(src|console|test|scripts)/", pathNot: `^src/(${[room, ...rooms].join("|")})/` },
}));

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: "known-rooms",
      comment: "A new room needs a row in the table.",
      severity: "error",
      from: { path: "^src/", pathNot: `^src/(${Object.keys(allowed).join("|")})/` },
      to: {},
    },
    {
      name: "storage-is-handed-in",
      comment: "These rooms know storage's types only; app hands them the thing.",
      severity: "error",
      from: { path: "^src/(knowledge|assistants|audit|metering|privacy|platform)/", pathNot: tests },
      to: { path: "^src/storage/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "use-the-door",
      comment: "Another room is entered by its index.ts.",
      severity: "error",
      from: { path: "^(?:src/([^/]+)/|console/|test/|scripts/)", pathNot: `^test/|^scripts/|${tests}` },
      to: { path: "^src/[^/]+/.+", pathNot: "^src/$1/|^src/[^/]+/index\\.ts$" },
    },
    {
      name: "console-arrows",
      comment: "The console sees only the client, contracts and base's types.",
      severity: "error",
      from: { path: "^console/", pathNot: tests },
      to: { path: "^(src|test|scripts)/", pathNot: "^src/(client|contracts|base)/" },
    },
    {
      name: "console-features",
      comment: "Features of the console do not import each other; the source pane, the share dialog and the notice of arriving models are shared.",
      severity: "error",
      from: { path: "^console/src/features/([^/]+)/" },
      to: { path: "^console/src/features/", pathNot: "^console/src/features/($1|source|share)/|/arriving-notice\\.tsx$" },
    },
    {
      name: "no-test-code-in-product",
      severity: "error",
      from: { path: "^(src|console)/", pathNot: tests },
      to: { path: `^test/|${tests}` },
    },
    {
      name: "no-dev-dependency-in-product",
      severity: "error",
      from: { path: "^(src|console/src)/", pathNot: tests },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm", "npm-optional", "type-only"] },
    },
    {
      name: "only-storage-has-sql",
      severity: "error",
      from: { path: "^(src|console)/", pathNot: `^src/storage/|${tests}` },
      to: { path: "^(node:)?sqlite$" },
    },
    {
      name: "not-declared",
      comment: "Imported but not in package.json.",
      severity: "error",
      from: { path: "^(src|console/src)/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "not-found",
      severity: "error",
      from: { path: "^(src|console|test|scripts)/" },
      to: { couldNotResolve: true, pathNot: "\\.css$|^@fontsource|\\?" },
    },
    {
      name: "no-cycles",
      severity: "error",
      from: { path: "^(src|console)/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)dist/" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ["starbox-source", "import", "node", "types", "default"],
      exportsFields: ["exports"],
      extensions: [".ts", ".tsx", ".js", ".mjs", ".json", ".css"],
    },
  },
};
