/** @file Legal holds, and reports of what was erased. */
import type { Migration } from "../migrate.ts";

const tables = `
-- kind everything: subject ''
CREATE TABLE holds (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('everything', 'person', 'base', 'document', 'chat')), subject TEXT NOT NULL, reason TEXT NOT NULL,
  created_at TEXT NOT NULL, released_at TEXT
) STRICT;
CREATE INDEX holds_open ON holds (kind, subject) WHERE released_at IS NULL;

-- counts and places only: a report must not bring back whom it is about
CREATE TABLE erasures (id TEXT PRIMARY KEY, at TEXT NOT NULL, report TEXT NOT NULL) STRICT;
`;

export const privacy: Migration = { number: 33, name: "privacy", up: (connection) => connection.raw.exec(tables) };
