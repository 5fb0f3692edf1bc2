/** @file With approval switched on, a new version that was read waits here while the one before it goes on being found. */
import type { Migration } from "../migrate.ts";

const tables = `
-- JSON: what the document takes over with it (title, date, members of an archive); null: it does not wait
ALTER TABLE versions ADD COLUMN held TEXT;
CREATE INDEX versions_held ON versions (document) WHERE held IS NOT NULL;
`;

export const held: Migration = { number: 41, name: "held", up: (connection) => connection.raw.exec(tables) };
