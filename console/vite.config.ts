/** @file How the console is built: into console/dist, with hashed file names that may be cached forever. Not part of the box at run time. */
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  // The console shares the client's source, spelled #client and #contracts as everywhere else.
  resolve: { conditions: ["starbox-source", "module", "browser", "development|production"] },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    // Inline images as data: would need a wider content policy.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // "use client" means nothing outside a server that renders React.
      onwarn: (warning, report) => warning.code === "MODULE_LEVEL_DIRECTIVE" || report(warning),
    },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8480", "/v1": "http://127.0.0.1:8480" } },
});
