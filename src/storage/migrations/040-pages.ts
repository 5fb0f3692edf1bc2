/** @file Chat pages behind a link or in a frame: which bases they ask, which sites may frame them. */
import type { Migration } from "../migrate.ts";

const tables = `
CREATE TABLE pages (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, greeting TEXT NOT NULL, kb_ids TEXT NOT NULL, origins TEXT NOT NULL,
  enabled INTEGER NOT NULL, created_by TEXT, created_at TEXT NOT NULL
) STRICT;
`;

export const pages: Migration = { number: 40, name: "pages", up: (connection) => connection.raw.exec(tables) };
