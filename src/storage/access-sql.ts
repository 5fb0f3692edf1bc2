/** @file The one statement of who may read what, for retrieval's thread and for everything else. */
import type { ReadableLists, Viewer } from "#contracts";

/**
 * `open(list, level)`: the lists that grant the viewer something, themselves and on every list above. `manage` on a base is never narrowed.
 * Parameters: $person, $team, $ceiling, $bases. Starts a WITH RECURSIVE; more tables may follow after a comma.
 */
export const openLists = `WITH RECURSIVE
in_team(id) AS (
  SELECT team FROM team_members WHERE person = $person
  UNION SELECT id FROM teams WHERE id = $team
  UNION SELECT t.parent FROM in_team i JOIN teams t ON t.id = i.id WHERE t.parent IS NOT NULL
),
mine(subject) AS (SELECT 'everyone' UNION ALL SELECT 'person:' || $person WHERE $person IS NOT NULL UNION ALL SELECT 'team:' || id FROM in_team),
granted(list, level) AS MATERIALIZED (
  SELECT e.list, min(max(e.level), $ceiling) FROM mine m CROSS JOIN access_entries e ON e.subject = m.subject GROUP BY e.list
),
open(list, level) AS MATERIALIZED (
  SELECT l.id, g.level FROM granted g CROSS JOIN access_lists l ON l.id = g.list
  WHERE l.path = '' AND ($bases IS NULL OR l.kb IN (SELECT num FROM kbs WHERE id IN (SELECT value FROM json_each($bases))))
  UNION ALL
  SELECT c.id, CASE o.level WHEN 3 THEN 3 ELSE min(o.level, g.level) END
  FROM open o CROSS JOIN access_lists c ON c.parent = o.list LEFT JOIN granted g ON g.list = c.id
  WHERE o.level = 3 OR g.level IS NOT NULL
)`;

const levels = { read: 1, write: 2, manage: 3 } as const;

export const levelNumber = (level: keyof typeof levels): number => levels[level];
export const levelName = (level: number): keyof typeof levels | null => (level >= 3 ? "manage" : level === 2 ? "write" : level === 1 ? "read" : null);

export function viewerValues(viewer: Viewer) {
  return {
    $person: viewer.person,
    $team: viewer.team ?? null,
    $ceiling: levels[viewer.ceiling ?? "manage"],
    $bases: viewer.bases === undefined ? null : JSON.stringify(viewer.bases),
  };
}

/** Condition on a row of documents: readers may see its version. */
export const approvedSql = (document: string): string => `((SELECT approval FROM kbs WHERE num = ${document}.kb) = 0
  OR EXISTS (SELECT 1 FROM approvals a WHERE a.version = coalesce(${document}.current_version, ${document}.newest_version)))`;

/** Condition on a row of documents: it may be read, and does not wait for approval (or the reader may write it). Values: readableValues. */
export const readableSql = (document: string): string => `(? IS NULL OR (${document}.access IN (SELECT value FROM json_each(?)) AND (
  ${document}.access IN (SELECT value FROM json_each(?)) OR ${approvedSql(document)})))`;

export function readableValues(readable: ReadableLists | null): [string | null, string | null, string | null] {
  if (readable === null) return [null, null, null];
  const lists = JSON.stringify(readable.lists);
  return [lists, lists, JSON.stringify(readable.writable)];
}

/** Condition on a row of documents: it, or a newer version of it, waits for approval. A newer version is told only to who may write. Values: waitsValues. */
export const waitsSql = (document: string): string => `(NOT ${approvedSql(document)} OR (EXISTS (
  SELECT 1 FROM versions w WHERE w.num = ${document}.newest_version AND w.held IS NOT NULL)
  AND (? IS NULL OR ${document}.access IN (SELECT value FROM json_each(?)))))`;

export function waitsValues(readable: ReadableLists | null): [string | null, string | null] {
  const writable = readable === null ? null : JSON.stringify(readable.writable);
  return [writable, writable];
}
