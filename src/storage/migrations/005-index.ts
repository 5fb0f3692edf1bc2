/** @file The search index: words of each chunk with FTS5 over them, and the compact code of each vector. */
import type { Migration } from "../migrate.ts";

/**
 * `chunk_terms` keeps the words as they were indexed: FTS5 needs the very same ones to take a row out again,
 * and with secure-delete they then leave the file. Words come ready-made, separated by blanks.
 * `chunk_vectors.seq` grows with every change, so a reader in memory fetches only what is new.
 */
const tables = `
CREATE TABLE chunk_terms (chunk INTEGER PRIMARY KEY, body TEXT NOT NULL, context TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE chunk_words USING fts5 (
  body, context, content = 'chunk_terms', content_rowid = 'chunk', tokenize = "ascii tokenchars '!#$%&''()*+,-./:;<=>?@[\\]^_\`{|}~'"
);
INSERT INTO chunk_words (chunk_words, rank) VALUES ('secure-delete', 1);
CREATE VIRTUAL TABLE chunk_words_count USING fts5vocab (chunk_words, row);

CREATE TABLE chunk_vectors (seq INTEGER PRIMARY KEY AUTOINCREMENT, chunk INTEGER NOT NULL UNIQUE, kb INTEGER NOT NULL, code BLOB NOT NULL) STRICT;
CREATE INDEX chunk_vectors_kb ON chunk_vectors (kb);
`;

export const index: Migration = { number: 5, name: "index", up: (connection) => connection.raw.exec(tables) };
