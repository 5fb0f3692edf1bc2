/** @file One person's rows over every table: read out, taken away, and searched for afterwards. Tables that come later are covered by the sweep. */
import type { Answer } from "#contracts";
import type { Connection, SqlValue } from "./connection.ts";

/** What the house owns although it may name a person: its documents, and what is made from them. */
const documentTables = new Set(["texts", "chunks", "chunk_terms", "vectors", "versions"]);
/** Sealed rows; their personal parts are erased by the audit log itself. Reports hold no names. */
const sealedTables = new Set(["audit", "audit_personal", "migrations"]);

const exported: readonly (readonly [name: string, sql: string])[] = [
  ["people", "SELECT id, name, email, role, createdAt FROM people WHERE id = ?"],
  ["sessions", "SELECT createdAt, expiresAt, ipAddress, userAgent FROM sessions WHERE userId = ?"],
  ["api_keys", "SELECT id, prefix, name, models, kbs, access, created_at, last_used_at, expires_at, revoked_at FROM api_keys WHERE person = ?"],
  ["teams", "SELECT t.id, t.name FROM team_members m JOIN teams t ON t.id = m.team WHERE m.person = ?"],
  [
    "access",
    "SELECT k.name AS base, l.path, e.level FROM access_entries e JOIN access_lists l ON l.id = e.list JOIN kbs k ON k.num = l.kb WHERE e.subject = 'person:' || ?",
  ],
  ["chats", "SELECT id, title, kb_ids, model, created_at, updated_at FROM chats WHERE person_id = ?"],
  [
    "turns",
    "SELECT t.id, t.chat_id, t.role, t.content, t.citations, t.rating, t.correction, t.correction_reason, t.created_at FROM turns t JOIN chats c ON c.id = t.chat_id WHERE c.person_id = ? ORDER BY t.created_at",
  ],
  ["answers", "SELECT id, kb_ids, question, origin, answer, created_at FROM answers WHERE person_id = ?"],
  [
    "documents",
    "SELECT d.id, k.name AS base, d.path, d.title, d.created_at FROM documents d JOIN kbs k ON k.num = d.kb WHERE d.added_by = ?1 OR d.owner = ?1",
  ],
  ["curated", "SELECT id, question, answer, created_at FROM curated WHERE created_by = ?"],
  [
    "usage",
    "SELECT day, kind, model, sum(first) AS requests, sum(prompt_tokens) AS promptTokens, sum(completion_tokens) AS completionTokens FROM usage WHERE person = ? GROUP BY day, kind, model",
  ],
];

export function* exportPersonRows(connection: Connection, personId: string): Generator<{ readonly table: string; readonly row: object }> {
  for (const [table, sql] of exported) for (const row of connection.all<object>(sql, personId)) yield { table, row };
}

/** Rows by table. The person's own row goes last, and with it what hangs on it. */
export function erasePersonRows(connection: Connection, personId: string, words: readonly string[]): Readonly<Record<string, number>> {
  return connection.transaction(() => {
    const erased: Record<string, number> = {};
    const run = (table: string, sql: string, ...values: SqlValue[]): void => {
      const { changes } = connection.run(sql, ...values);
      if (changes > 0) erased[table] = (erased[table] ?? 0) + changes;
    };
    const gaps = eraseGaps(connection, personId);
    if (gaps > 0) erased["gaps"] = gaps;
    run("turns", "DELETE FROM turns WHERE chat_id IN (SELECT id FROM chats WHERE person_id = ?)", personId);
    run("chats", "DELETE FROM chats WHERE person_id = ?", personId);
    run("answers", "DELETE FROM answers WHERE person_id = ?", personId);
    // What was used stays in the sums; by whom goes.
    run("usage", "UPDATE usage SET person = NULL, key = NULL WHERE person = ?1 OR key IN (SELECT id FROM api_keys WHERE person = ?1)", personId);
    run(
      "quotas",
      "DELETE FROM quotas WHERE (kind = 'person' AND subject = ?1) OR (kind = 'key' AND subject IN (SELECT id FROM api_keys WHERE person = ?1))",
      personId,
    );
    run("holds", "DELETE FROM holds WHERE kind = 'person' AND subject = ? AND released_at IS NOT NULL", personId);
    for (const table of ["api_keys", "sessions", "accounts", "team_members"]) {
      const column = { api_keys: "person", sessions: "userId", accounts: "userId", team_members: "person" }[table] ?? "";
      run(table, `DELETE FROM ${table} WHERE ${column} = ?`, personId);
    }
    run("people", "DELETE FROM people WHERE id = ?", personId);
    for (const { table, column } of textColumns(connection)) {
      for (const word of [personId, ...words])
        run(table, `UPDATE "${table}" SET "${column}" = replace("${column}", ?1, 'erased') WHERE instr("${column}", ?1) > 0`, word);
    }
    return erased;
  });
}

/** Open questions in this person's words, unless somebody else asked the same. */
function eraseGaps(connection: Connection, personId: string): number {
  const asked = new Set<string>();
  for (const row of connection.all<{ answer: string }>("SELECT answer FROM answers WHERE person_id = ?", personId)) {
    const { query, question } = JSON.parse(row.answer) as Answer;
    asked.add(query).add(question);
  }
  if (asked.size === 0) return 0;
  const others = new Set<string>();
  for (const row of connection.all<{ answer: string }>("SELECT answer FROM answers WHERE person_id IS NOT ? AND refused = 1", personId)) {
    const { query, question } = JSON.parse(row.answer) as Answer;
    others.add(query).add(question);
  }
  const isTheirs = (text: string): boolean => asked.has(text) && !others.has(text);
  let changed = 0;
  for (const gap of connection.all<{ id: string; question: string; variants: string }>("SELECT id, question, variants FROM gaps")) {
    const variants = (JSON.parse(gap.variants) as string[]).filter((text) => !isTheirs(text));
    if (!isTheirs(gap.question)) {
      if (JSON.stringify(variants) === gap.variants) continue;
      connection.run("UPDATE gaps SET variants = ? WHERE id = ?", JSON.stringify(variants), gap.id);
    } else if (variants[0] === undefined) connection.run("DELETE FROM gaps WHERE id = ?", gap.id);
    else connection.run("UPDATE gaps SET question = ?, variants = ? WHERE id = ?", variants[0], JSON.stringify(variants.slice(1)), gap.id);
    changed++;
  }
  return changed;
}

/** Columns of text that may name a person, in every table there is. */
function textColumns(connection: Connection): readonly { readonly table: string; readonly column: string }[] {
  const tables = connection
    .all<{ name: string; sql: string }>("SELECT name, coalesce(sql, '') AS sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .filter(({ name, sql }) => !/^create virtual/i.test(sql) && !/_(data|idx|docsize|config|content)$/.test(name))
    .map(({ name }) => name)
    .filter((name) => !documentTables.has(name) && !sealedTables.has(name));
  return tables.flatMap((table) =>
    connection
      .all<{ name: string; type: string }>(`PRAGMA table_info("${table}")`)
      .filter(({ name, type }) => (type === "TEXT" || type === "ANY") && (table !== "documents" || ["added_by", "owner", "error"].includes(name)))
      .map(({ name }) => ({ table, column: name })),
  );
}

export function findTraces(connection: Connection, words: readonly string[]): { readonly tables: readonly string[]; readonly documents: number } {
  const tables = new Set<string>();
  const has = (table: string, column: string, word: string): boolean =>
    connection.get(`SELECT 1 FROM "${table}" WHERE instr(lower(CAST("${column}" AS TEXT)), lower(?)) > 0 LIMIT 1`, word) !== undefined;
  for (const { table, column } of [
    ...textColumns(connection),
    { table: "audit", column: "details" },
    { table: "audit", column: "subject" },
    { table: "audit_personal", column: "data" },
  ])
    for (const word of words) if (has(table, column, word)) tables.add(table);
  let documents = 0;
  for (const word of words)
    documents += connection.get<{ n: number }>("SELECT count(DISTINCT version) AS n FROM texts WHERE instr(lower(text), lower(?)) > 0", word)?.n ?? 0;
  return { tables: [...tables], documents };
}
