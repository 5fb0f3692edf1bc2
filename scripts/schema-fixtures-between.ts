/**
 * @file Makes test/fixtures/schemas/NUMBER for schemas that no released program wrote by itself: the oldest fixture, brought forward one migration
 * at a time, with rows in whatever each one added. Fixtures that are there are left alone.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { openAuditLog } from "#audit";
import { restoreBackup } from "#operations";
import { databaseDoor } from "../src/app/nights.ts";
import { createBackup } from "../src/operations/index.ts";
import { createAuditRepository } from "../src/storage/audit.ts";
import { type Connection, migrate, openConnection, readSchemaVersion } from "../src/storage/index.ts";
import { migrations } from "../src/storage/migrations/index.ts";
import { projectRoot } from "./source-files.ts";

const fixtures = path.join(projectRoot, "test/fixtures/schemas");
const at = "2026-03-01T08:00:00.000Z";
const hash = (text: string): string => createHash("sha256").update(text).digest("hex");

type Seed = (connection: Connection, dataDir: string) => void;
/** What each schema can hold that the one before it could not. */
const seeds: Readonly<Record<number, Seed>> = {
  20: ({ raw }) =>
    raw.exec(`
      UPDATE people SET role = 'editor' WHERE email = 'bob@example.org';
      INSERT INTO teams VALUES ('team_a', '人事', NULL, '${at}'), ('team_b', '薪酬组', 'team_a', '${at}');
      INSERT INTO team_members SELECT id, 'team_b' FROM people WHERE email = 'bob@example.org';
      INSERT INTO access_lists (kb, path, parent) SELECT kb, '样例', id FROM access_lists WHERE path = '';
      INSERT INTO access_entries SELECT id, 'team:team_a', 2 FROM access_lists WHERE path = '样例';
      UPDATE documents SET access = (SELECT id FROM access_lists WHERE path = '样例') WHERE folder = '样例';
      UPDATE documents SET owner = (SELECT id FROM people WHERE email = 'bob@example.org'), review_at = '2026-02-01' WHERE path = '值班规定.md';
      UPDATE kbs SET approval = 1;
      INSERT INTO approvals SELECT current_version, 'operator', '${at}' FROM documents WHERE current_version IS NOT NULL;`),
  21: ({ raw }) =>
    raw.exec(`INSERT INTO invitations VALUES ('inv_a', '${hash("invitation")}', 'new@example.org', 'member', '["team_a"]', '${at}', '2099-01-01T00:00:00.000Z');
      INSERT INTO second_factors SELECT id, 'sealed', NULL, 0, '[]' FROM people WHERE email = 'bob@example.org';`),
  30: ({ raw }) =>
    raw.exec(`
      INSERT INTO api_keys (id, hash, prefix, name, team, created_at, access, kbs) SELECT 'key_team', '${hash("team key")}', 'sb-team', '客服', 'team_a', '${at}', 'read', json_array(id) FROM kbs;
      INSERT INTO api_key_former VALUES ('${hash("former")}', 'key_team', 'sb-old', '2099-01-01T00:00:00.000Z');`),
  31: ({ raw }) =>
    raw.exec(`
      INSERT INTO usage SELECT 'use_1', 'req_1', 1, '${at}', '2026-03-01', 'chat', 'small', id, NULL, NULL, 41, 7, 0, 900, 'done' FROM people WHERE email = 'bob@example.org';
      INSERT INTO usage VALUES ('use_2', 'req_2', 1, '${at}', '2026-03-01', 'answer', 'small', NULL, 'team_a', 'key_team', 20, 3, 4, 500, 'done');
      INSERT INTO quotas VALUES ('team', 'team_a', 60, NULL, NULL, 100000, NULL, 4, '${at}');`),
  32: (connection, dataDir) => {
    const log = openAuditLog({ store: createAuditRepository(connection), dataDir, hostname: "fixture", now: () => Date.parse(at) });
    const bob = connection.get<{ id: string }>("SELECT id FROM people WHERE email = 'bob@example.org'")?.id ?? "";
    const actor = { personId: bob, name: "Bob", role: "editor" } as const;
    for (const action of ["session.start", "document.add", "document.read"])
      log.record({ actor, action, subject: { kind: "person", id: bob }, outcome: "ok", address: "10.0.0.7" });
    log.close();
  },
  33: ({ raw }) =>
    raw.exec(
      `INSERT INTO holds SELECT 'hold_1', 'base', id, '诉讼', '${at}', NULL FROM kbs; INSERT INTO erasures VALUES ('erase_1', '${at}', '{"rows":3}');`,
    ),
  40: ({ raw }) =>
    raw.exec(
      `INSERT INTO pages SELECT 'AAAAAAAAAAAAAAAAAAAAAA', '前台', '您好', json_array(id), '["https://intranet.example"]', 1, NULL, '${at}' FROM kbs;`,
    ),
  // Nothing waits: a version that does needs its text, words and bytes, which test/permissions-care-box.test.ts makes by the front door.
  41: () => undefined,
  42: ({ raw }) => raw.exec("INSERT OR IGNORE INTO usage_teams SELECT 'team_b', at, id FROM usage WHERE person IS NOT NULL;"),
};

const dataDir = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "starbox-fixture-")), "data");
await restoreBackup({ folder: path.join(fixtures, "010"), passphrase: null, dataDir, id: null, force: false, database: databaseDoor });
for (const { number } of migrations.filter((migration) => migration.number > 10).sort((a, b) => a.number - b.number)) {
  const seed = seeds[number];
  if (seed === undefined) throw new Error(`Say in ${import.meta.filename} what schema ${number} holds that the one before did not.`);
  const connection = openConnection(path.join(dataDir, "box.db"));
  migrate(
    connection,
    migrations.filter((migration) => migration.number <= number),
  );
  seed(connection, dataDir);
  if (readSchemaVersion(connection) !== number) throw new Error(`schema ${readSchemaVersion(connection)} after migration ${number}`);
  connection.get("PRAGMA wal_checkpoint(TRUNCATE)");
  connection.close();
  const folder = path.join(fixtures, String(number).padStart(3, "0"));
  if (fs.existsSync(folder)) continue;
  await createBackup({ dataDir, folder, passphrase: null, withModels: false, version: `schema-${number}`, database: databaseDoor });
  process.stdout.write(`${folder}\n`);
}
fs.rmSync(path.dirname(dataDir), { recursive: true });
