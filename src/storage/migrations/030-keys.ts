/** @file API keys of teams, their scopes, rotation and revocation. A revoked key keeps its row: usage and audit still name it. */
import type { Migration } from "../migrate.ts";

const tables = `
-- models, kbs: JSON lists; null: everything its owner may use
ALTER TABLE api_keys ADD COLUMN team TEXT;
ALTER TABLE api_keys ADD COLUMN created_by TEXT;
ALTER TABLE api_keys ADD COLUMN models TEXT;
ALTER TABLE api_keys ADD COLUMN kbs TEXT;
ALTER TABLE api_keys ADD COLUMN access TEXT NOT NULL DEFAULT 'write' CHECK (access IN ('read', 'write'));
ALTER TABLE api_keys ADD COLUMN rotated_at TEXT;
ALTER TABLE api_keys ADD COLUMN revoked_at TEXT;

-- what a key was before it was rotated: still good until valid_until
CREATE TABLE api_key_former (
  hash TEXT PRIMARY KEY, key TEXT NOT NULL REFERENCES api_keys(id) ON DELETE CASCADE, prefix TEXT NOT NULL, valid_until TEXT NOT NULL
) STRICT;
CREATE INDEX api_key_former_key ON api_key_former (key);
`;

export const keys: Migration = { number: 30, name: "keys", up: (connection) => connection.raw.exec(tables) };
