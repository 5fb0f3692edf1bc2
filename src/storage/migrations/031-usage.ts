/** @file Who used how much of which model, and how much they may. One row an engine call, written before its last part goes out. */
import type { Migration } from "../migrate.ts";

const tables = `
-- request: several calls may serve one request; first: 1 on its first row, so that requests can be summed
-- day: the box's own calendar day; at: UTC
CREATE TABLE usage (
  id TEXT PRIMARY KEY, request TEXT NOT NULL, first INTEGER NOT NULL, at TEXT NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL,
  person TEXT, team TEXT, key TEXT, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
  ms INTEGER NOT NULL, outcome TEXT NOT NULL CHECK (outcome IN ('done', 'cancelled', 'failed'))
) STRICT;
CREATE INDEX usage_day ON usage (day);
CREATE INDEX usage_person ON usage (person, at);
CREATE INDEX usage_key ON usage (key, at) WHERE key IS NOT NULL;
CREATE INDEX usage_team ON usage (team, at) WHERE team IS NOT NULL;

-- everyone (subject ''): what each person may, unless they have a row of their own
CREATE TABLE quotas (
  kind TEXT NOT NULL CHECK (kind IN ('everyone', 'person', 'team', 'key')), subject TEXT NOT NULL,
  requests_per_minute INTEGER, requests_per_day INTEGER, tokens_per_minute INTEGER, tokens_per_day INTEGER, tokens_per_month INTEGER, concurrent INTEGER,
  updated_at TEXT NOT NULL, PRIMARY KEY (kind, subject)
) STRICT;
`;

export const usage: Migration = { number: 31, name: "usage", up: (connection) => connection.raw.exec(tables) };
