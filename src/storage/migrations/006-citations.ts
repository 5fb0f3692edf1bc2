/** @file Which chunk names which work between 《 》: what a base's own documents refer to most is authoritative in it. */
import type { Migration } from "../migrate.ts";

const tables = `
CREATE TABLE chunk_citations (chunk INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (chunk, name)) STRICT, WITHOUT ROWID;
`;

export const citations: Migration = { number: 6, name: "citations", up: (connection) => connection.raw.exec(tables) };
