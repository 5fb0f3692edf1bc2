/** @file Whose teams a use counts for: those of the person, or the key, at that moment, with the teams above. */
import type { Migration } from "../migrate.ts";

const tables = `
CREATE TABLE usage_teams (
  team TEXT NOT NULL, at TEXT NOT NULL, usage TEXT NOT NULL REFERENCES usage(id) ON DELETE CASCADE, PRIMARY KEY (team, at, usage)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_teams_usage ON usage_teams (usage);
INSERT INTO usage_teams SELECT team, at, id FROM usage WHERE team IS NOT NULL;
`;

export const usageTeams: Migration = { number: 42, name: "usage-teams", up: (connection) => connection.raw.exec(tables) };
