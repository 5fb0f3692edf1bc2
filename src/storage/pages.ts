/** @file Rows of chat pages. */
import type { PageInfo } from "#contracts";
import type { Connection } from "./connection.ts";

type Stored = Omit<PageInfo, "kbIds" | "origins" | "enabled"> & { kbIds: string; origins: string; enabled: number };
const columns = "id, name, greeting, kb_ids AS kbIds, origins, enabled, created_by AS createdBy, created_at AS createdAt";
const read = (row: Stored): PageInfo => ({
  ...row,
  kbIds: JSON.parse(row.kbIds) as string[],
  origins: JSON.parse(row.origins) as string[],
  enabled: row.enabled === 1,
});

export type PageRepository = ReturnType<typeof createPageRepository>;

export function createPageRepository(connection: Connection) {
  return {
    list: (): readonly PageInfo[] => connection.all<Stored>(`SELECT ${columns} FROM pages ORDER BY created_at, id`).map(read),
    find(id: string): PageInfo | undefined {
      const row = connection.get<Stored>(`SELECT ${columns} FROM pages WHERE id = ?`, id);
      return row === undefined ? undefined : read(row);
    },
    write: (page: PageInfo) =>
      connection.run(
        `INSERT INTO pages (id, name, greeting, kb_ids, origins, enabled, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, greeting = excluded.greeting, kb_ids = excluded.kb_ids, origins = excluded.origins, enabled = excluded.enabled`,
        page.id,
        page.name,
        page.greeting,
        JSON.stringify(page.kbIds),
        JSON.stringify(page.origins),
        page.enabled ? 1 : 0,
        page.createdBy,
        page.createdAt,
      ),
    remove: (id: string): boolean => connection.run("DELETE FROM pages WHERE id = ?", id).changes > 0,
  };
}
