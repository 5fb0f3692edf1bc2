/** @file Roles, teams, and the lists that say who may read and write what. */
import type { Migration } from "../migrate.ts";

/**
 * A list stands on a base (path ''), a folder or a file, and `parent` is the next list above it. `documents.access` is the nearest list
 * of each document, set by triggers so that no way of adding a document can forget it; a document without one is seen by nobody.
 * Subjects are 'everyone', 'team:ID' or 'person:ID'; levels 1 read, 2 write, 3 manage.
 * `access_generation` moves with every change that can take something away.
 */
const tables = `
ALTER TABLE people ADD COLUMN rank TEXT NOT NULL DEFAULT 'member'
  CHECK (rank IN ('administrator', 'knowledge-owner', 'editor', 'member', 'api-only'));
UPDATE people SET rank = role;
ALTER TABLE people DROP COLUMN role;
ALTER TABLE people RENAME COLUMN rank TO role;

CREATE TABLE teams (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, parent TEXT REFERENCES teams(id) ON DELETE CASCADE, created_at TEXT NOT NULL
) STRICT;
CREATE INDEX teams_parent ON teams (parent);
CREATE TABLE team_members (
  person TEXT NOT NULL REFERENCES people(id) ON DELETE CASCADE, team TEXT NOT NULL REFERENCES teams(id) ON DELETE CASCADE,
  PRIMARY KEY (person, team)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_members_team ON team_members (team);

CREATE TABLE access_lists (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kb INTEGER NOT NULL REFERENCES kbs(num) ON DELETE CASCADE, path TEXT NOT NULL, parent INTEGER,
  UNIQUE (kb, path)
) STRICT;
CREATE INDEX access_lists_parent ON access_lists (parent);
CREATE TABLE access_entries (
  list INTEGER NOT NULL REFERENCES access_lists(id) ON DELETE CASCADE, subject TEXT NOT NULL, level INTEGER NOT NULL CHECK (level IN (1, 2, 3)),
  PRIMARY KEY (list, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX access_entries_subject ON access_entries (subject, list, level);

ALTER TABLE kbs ADD COLUMN approval INTEGER NOT NULL DEFAULT 0;
ALTER TABLE documents ADD COLUMN access INTEGER;
ALTER TABLE documents ADD COLUMN added_by TEXT;
ALTER TABLE documents ADD COLUMN owner TEXT REFERENCES people(id) ON DELETE SET NULL;
ALTER TABLE documents ADD COLUMN review_at TEXT;
ALTER TABLE documents ADD COLUMN reviewed_at TEXT;
CREATE INDEX documents_access ON documents (access);
CREATE INDEX documents_review ON documents (review_at) WHERE review_at IS NOT NULL;
-- with approval switched on, a version is seen by readers once it has a row here
CREATE TABLE approvals (version INTEGER PRIMARY KEY REFERENCES versions(num) ON DELETE CASCADE, by TEXT NOT NULL, at TEXT NOT NULL) STRICT;
ALTER TABLE curated ADD COLUMN approved INTEGER NOT NULL DEFAULT 1;

CREATE TABLE access_generation (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL) STRICT;
INSERT INTO access_generation VALUES (1, 1);

-- bases that were there keep being readable by everyone who signs in
INSERT INTO access_lists (kb, path) SELECT num, '' FROM kbs;
INSERT INTO access_entries SELECT id, 'everyone', 1 FROM access_lists;
UPDATE documents SET access = (SELECT id FROM access_lists l WHERE l.kb = documents.kb);

CREATE TRIGGER kbs_access AFTER INSERT ON kbs BEGIN
  INSERT INTO access_lists (kb, path) VALUES (NEW.num, '');
END;
CREATE TRIGGER documents_access AFTER INSERT ON documents BEGIN
  UPDATE documents SET access = (
    SELECT l.id FROM access_lists l WHERE l.kb = NEW.kb AND (l.path IN ('', NEW.path) OR substr(NEW.path, 1, length(l.path) + 1) = l.path || '/')
    ORDER BY length(l.path) DESC LIMIT 1)
  WHERE num = NEW.num;
END;
CREATE TRIGGER people_entries AFTER DELETE ON people BEGIN
  DELETE FROM access_entries WHERE subject = 'person:' || OLD.id;
  UPDATE access_generation SET n = n + 1;
END;
CREATE TRIGGER teams_entries AFTER DELETE ON teams BEGIN
  DELETE FROM access_entries WHERE subject = 'team:' || OLD.id;
  UPDATE access_generation SET n = n + 1;
END;
`;

const watched: readonly (readonly [table: string, events: readonly string[]])[] = [
  ["access_lists", ["INSERT", "UPDATE", "DELETE"]],
  ["access_entries", ["INSERT", "UPDATE", "DELETE"]],
  ["teams", ["INSERT", "UPDATE"]],
  ["team_members", ["INSERT", "UPDATE", "DELETE"]],
  ["people", ["UPDATE OF role"]],
  ["kbs", ["UPDATE OF approval"]],
  ["approvals", ["INSERT", "DELETE"]],
];

export const access: Migration = {
  number: 20,
  name: "access",
  up: (connection) => {
    connection.raw.exec(tables);
    for (const [table, events] of watched) {
      for (const [i, event] of events.entries()) {
        connection.raw.exec(`CREATE TRIGGER ${table}_generation_${i} AFTER ${event} ON ${table} BEGIN UPDATE access_generation SET n = n + 1; END`);
      }
    }
  },
};
