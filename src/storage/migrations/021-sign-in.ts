/** @file Invitations by link and second factors. */
import type { Migration } from "../migrate.ts";

const tables = `
-- hash: SHA-256 of the link's secret, which has 200 random bits
CREATE TABLE invitations (
  id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, email TEXT NOT NULL, role TEXT NOT NULL, teams TEXT NOT NULL DEFAULT '[]',
  created_at TEXT NOT NULL, expires_at TEXT NOT NULL
) STRICT;

-- secret: encrypted with the box's own; last_step: the newest code's number, so that none works twice; recovery: hashes of what is left
CREATE TABLE second_factors (
  person TEXT PRIMARY KEY REFERENCES people(id) ON DELETE CASCADE, secret TEXT NOT NULL, confirmed_at TEXT,
  last_step INTEGER NOT NULL DEFAULT 0, recovery TEXT NOT NULL DEFAULT '[]'
) STRICT;
`;

export const signIn: Migration = { number: 21, name: "sign-in", up: (connection) => connection.raw.exec(tables) };
