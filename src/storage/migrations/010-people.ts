/** @file People, sessions and API keys. The first four tables have the columns better-auth expects. */
import type { Migration } from "../migrate.ts";

const tables = `
CREATE TABLE people (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, emailVerified INTEGER NOT NULL, image TEXT,
  role TEXT NOT NULL CHECK (role IN ('administrator', 'member')), createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL
) STRICT;

CREATE TABLE sessions (
  id TEXT PRIMARY KEY, expiresAt TEXT NOT NULL, token TEXT NOT NULL UNIQUE, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL,
  ipAddress TEXT, userAgent TEXT, userId TEXT NOT NULL REFERENCES people(id) ON DELETE CASCADE
) STRICT;
CREATE INDEX sessions_user ON sessions (userId);

CREATE TABLE accounts (
  id TEXT PRIMARY KEY, accountId TEXT NOT NULL, providerId TEXT NOT NULL, userId TEXT NOT NULL REFERENCES people(id) ON DELETE CASCADE,
  accessToken TEXT, refreshToken TEXT, idToken TEXT, accessTokenExpiresAt TEXT, refreshTokenExpiresAt TEXT, scope TEXT, password TEXT,
  createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL
) STRICT;
CREATE INDEX accounts_user ON accounts (userId);

CREATE TABLE verifications (
  id TEXT PRIMARY KEY, identifier TEXT NOT NULL, value TEXT NOT NULL, expiresAt TEXT NOT NULL, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL
) STRICT;
CREATE INDEX verifications_identifier ON verifications (identifier);

-- hash: SHA-256 of the key, which has 160 random bits; person null: made by the operator for the box itself
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, prefix TEXT NOT NULL, name TEXT NOT NULL,
  person TEXT REFERENCES people(id) ON DELETE CASCADE, created_at TEXT NOT NULL, last_used_at TEXT, expires_at TEXT
) STRICT;
CREATE INDEX api_keys_person ON api_keys (person);

CREATE TABLE setup_code (one INTEGER PRIMARY KEY CHECK (one = 1), hash TEXT NOT NULL) STRICT;
`;

export const people: Migration = { number: 10, name: "people", up: (connection) => connection.raw.exec(tables) };
