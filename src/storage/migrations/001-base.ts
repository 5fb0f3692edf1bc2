/** @file The first schema: bases, documents with their versions, chunks, jobs, chats, answers. Search indexes come in their own migrations. */
import type { Migration } from "../migrate.ts";

/**
 * Rows that chunks point to have a small integer key (`num`) beside the public text id.
 * A chunk can be found only while `documents.current_version` is its version: switching editions is one UPDATE.
 */
const tables = `
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE kbs (
  num INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL DEFAULT '',
  embedder TEXT, removing INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE documents (
  num INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  kb INTEGER NOT NULL REFERENCES kbs(num) ON DELETE CASCADE,
  path TEXT NOT NULL, folder TEXT NOT NULL, title TEXT NOT NULL, title_by_person INTEGER NOT NULL DEFAULT 0,
  type TEXT NOT NULL, tags TEXT NOT NULL DEFAULT '[]', date TEXT, date_by_person INTEGER NOT NULL DEFAULT 0,
  -- editions of one work share its key; superseded: a later one is in force
  work TEXT, edition TEXT CHECK (edition IN ('in-force', 'superseded')), superseded_by INTEGER,
  current_version INTEGER, newest_version INTEGER,
  -- a member of an archive or mail goes when its container goes
  parent INTEGER REFERENCES documents(num) ON DELETE CASCADE,
  state TEXT NOT NULL, error TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
  UNIQUE (kb, path)
) STRICT;
CREATE INDEX documents_work ON documents (kb, work) WHERE work IS NOT NULL;
CREATE INDEX documents_parent ON documents (parent) WHERE parent IS NOT NULL;

CREATE TABLE versions (
  num INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  -- null: its document was removed; the rest of it is being purged
  document INTEGER REFERENCES documents(num) ON DELETE SET NULL,
  number INTEGER NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('building', 'current', 'old', 'failed')),
  pages INTEGER, scanned TEXT NOT NULL DEFAULT '[]', warnings TEXT NOT NULL DEFAULT '[]', language TEXT,
  chunks INTEGER NOT NULL DEFAULT 0, embedded INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL,
  UNIQUE (document, number)
) STRICT;
CREATE INDEX versions_sha256 ON versions (sha256);
CREATE INDEX versions_left ON versions (state) WHERE state IN ('building', 'old');

CREATE TABLE texts (version INTEGER PRIMARY KEY REFERENCES versions(num) ON DELETE CASCADE, text TEXT NOT NULL, blocks TEXT NOT NULL) STRICT;

CREATE TABLE chunks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kb INTEGER NOT NULL, document INTEGER NOT NULL, version INTEGER NOT NULL REFERENCES versions(num),
  ordinal INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER,
  context TEXT NOT NULL, label TEXT, text TEXT NOT NULL,
  -- of what is embedded (title, context, text): the same hash never costs a second embedding
  hash BLOB NOT NULL, edited INTEGER NOT NULL DEFAULT 0, embedded INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX chunks_version ON chunks (version, ordinal);
CREATE INDEX chunks_kb ON chunks (kb, id);
CREATE INDEX chunks_hash ON chunks (hash);
CREATE INDEX chunks_waiting ON chunks (kb, id) WHERE embedded = 0;

CREATE TABLE vectors (embedder TEXT NOT NULL, hash BLOB NOT NULL, vector BLOB NOT NULL, UNIQUE (embedder, hash)) STRICT;

CREATE TABLE jobs (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, key TEXT, kb_id TEXT, payload TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  priority INTEGER NOT NULL, size INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, not_before INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0, total INTEGER, unit TEXT NOT NULL, eta_seconds REAL,
  owner TEXT, heartbeat INTEGER, cancel INTEGER NOT NULL DEFAULT 0, error TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX jobs_next ON jobs (priority, size, created_at, id) WHERE state = 'queued';
CREATE INDEX jobs_due ON jobs (kind, not_before) WHERE state = 'queued';
CREATE INDEX jobs_running ON jobs (state) WHERE state = 'running';
CREATE INDEX jobs_updated ON jobs (updated_at, id);
CREATE UNIQUE INDEX jobs_key ON jobs (kind, key) WHERE key IS NOT NULL AND state IN ('queued', 'running');
CREATE INDEX jobs_state ON jobs (state, updated_at);

CREATE TABLE dictionaries (kb INTEGER PRIMARY KEY REFERENCES kbs(num) ON DELETE CASCADE, words TEXT NOT NULL, synonyms TEXT NOT NULL) STRICT;

CREATE TABLE curated (
  id TEXT PRIMARY KEY, kb INTEGER NOT NULL REFERENCES kbs(num) ON DELETE CASCADE, question TEXT NOT NULL, answer TEXT NOT NULL,
  document_ids TEXT NOT NULL DEFAULT '[]', created_by TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX curated_kb ON curated (kb);

CREATE TABLE gaps (
  id TEXT PRIMARY KEY, kb INTEGER NOT NULL REFERENCES kbs(num) ON DELETE CASCADE, question TEXT NOT NULL, variants TEXT NOT NULL DEFAULT '[]',
  count INTEGER NOT NULL DEFAULT 1, nearest TEXT NOT NULL DEFAULT '[]', resolved_at TEXT, created_at TEXT NOT NULL, last_asked_at TEXT NOT NULL
) STRICT;
CREATE INDEX gaps_kb ON gaps (kb, resolved_at);

CREATE TABLE chats (
  id TEXT PRIMARY KEY, person_id TEXT, title TEXT NOT NULL DEFAULT '', kb_ids TEXT NOT NULL DEFAULT '[]', model TEXT,
  head_turn_id TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX chats_person ON chats (person_id, updated_at);

CREATE TABLE turns (
  id TEXT PRIMARY KEY, chat_id TEXT NOT NULL REFERENCES chats(id) ON DELETE CASCADE, parent_id TEXT, role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
  content TEXT NOT NULL, citations TEXT NOT NULL DEFAULT '[]', refused INTEGER NOT NULL DEFAULT 0, nearest TEXT NOT NULL DEFAULT '[]',
  rating TEXT CHECK (rating IN ('up', 'down')), correction TEXT, correction_reason TEXT, model TEXT, error TEXT, answer_id TEXT,
  -- open: being written; a box that finds open turns at start marks them broken
  open INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL
) STRICT;
CREATE INDEX turns_chat ON turns (chat_id, created_at);
CREATE INDEX turns_open ON turns (open) WHERE open = 1;

CREATE TABLE answers (
  id TEXT PRIMARY KEY, person_id TEXT, kb_ids TEXT NOT NULL, question TEXT NOT NULL, origin TEXT NOT NULL, refused INTEGER NOT NULL,
  answer TEXT NOT NULL, created_at TEXT NOT NULL
) STRICT;
CREATE INDEX answers_created ON answers (created_at);
`;

export const base: Migration = { number: 1, name: "base", up: (connection) => connection.raw.exec(tables) };
