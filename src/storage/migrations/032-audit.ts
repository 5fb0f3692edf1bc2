/** @file The audit log: a chain of rows that nothing may change, and beside it who the rows speak of, so that a person can be erased without breaking the chain. */
import type { Migration } from "../migrate.ts";

/** `actor` and `person` in a row are digests of the parts in `audit_personal`, with their salts: erasing a part leaves nothing to guess from. */
const tables = `
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, action TEXT NOT NULL, outcome TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, details TEXT NOT NULL,
  actor TEXT NOT NULL, person TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL, seal TEXT NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);

CREATE TABLE audit_personal (
  seq INTEGER NOT NULL, part TEXT NOT NULL CHECK (part IN ('actor', 'person')), person TEXT, salt TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (seq, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_personal_person ON audit_personal (person) WHERE person IS NOT NULL;

CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- retention names the last row it lets go before it deletes
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
WHEN OLD.seq > coalesce((SELECT CAST(value AS INTEGER) FROM settings WHERE key = 'audit.pruned'), 0)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
`;

export const audit: Migration = { number: 32, name: "audit", up: (connection) => connection.raw.exec(tables) };
