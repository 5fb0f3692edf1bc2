/** @file Several dated texts of one work: which is in force today. A rule about names and dates; reads no text. */
import { folderOf, stemOf } from "./paths.ts";

/** "(2018年修正)", "（2012-12-28 修订）", "[第二版]", "(2023 edition)". */
const editionMark =
  /[（(【[〔][^（）()【】[\]〔〕]*(?:\d{4}|修正|修订|修改|第?[一二三四五六七八九十\d]+版|edition|revis|version)[^（）()【】[\]〔〕]*[）)】\]〕]/giu;
const bareDate =
  /(?:19|20)\d{2}(?:年|[-._]?(?:0[1-9]|1[0-2])(?:[-._]?[0-3]\d)?)(?:\d{1,2}月)?(?:\d{1,2}日)?(?:版|修正|修订)?|\bv\d+(?:\.\d+)*\b|第[一二三四五六七八九十\d]+版/giu;

/** Texts of this kind replace their predecessor; a daily report does not. */
const replaces =
  /(?:法|法典|条例|规定|办法|细则|决定|解释|制度|规程|标准|指南|指引|手册|章程|规则|准则|政策|方案|意见|规范|目录|须知|守则|公约|流程|acts?|laws?|codes?|regulations?|rules|polic(?:y|ies)|manual|handbook|guide(?:line)?s?|standards?|specification)$/iu;

const squeeze = (text: string): string =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\s《》〈〉"'“”_\-.·,，]+/gu, "");

/** A title this short ("用户手册") may belong to several works: then only the same folder makes it the same one. */
const shortTitle = 6;

/** The same for all editions of a work; null where nothing says that this is an edition of anything. */
export function workKey(title: string, path: string): string | null {
  const stem = stemOf(path);
  const name = title.trim() === "" ? stem : title;
  const bare = name.normalize("NFKC").replace(editionMark, "").replace(bareDate, "").trim();
  const marked = name.search(editionMark) >= 0 || stem.search(editionMark) >= 0;
  const key = squeeze(bare);
  if (key.length < 2 || !(marked || replaces.test(bare))) return null;
  return key.length < shortTitle ? `${folderOf(path)}/${key}` : key;
}

/** An ISO date in a file name: "劳动法(2018-12-29).md", "手册_20230501.docx"; null: none, or none that exists. */
export function dateInName(path: string): string | null {
  const found = /(?<!\d)((?:19|20)\d{2})(?:[-._年]?)(0?[1-9]|1[0-2])(?:[-._月]?)(0[1-9]|[12]\d|3[01]|[1-9])日?(?!\d)/u.exec(stemOf(path));
  if (found === null) return null;
  const date = `${found[1]}-${found[2]?.padStart(2, "0")}-${found[3]?.padStart(2, "0")}`;
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date) ? date : null;
}

export type Dated = {
  readonly num: number;
  readonly date: string | null;
  readonly edition: "in-force" | "superseded" | null;
  readonly supersededBy: number | null;
};
export type EditionChange = { readonly num: number; readonly edition: "in-force" | "superseded" | null; readonly supersededBy: number | null };

/** The newest that is not in the future is in force, earlier ones are superseded by it; only what changes is returned. */
export function linkEditions(documents: readonly Dated[], today: string): readonly EditionChange[] {
  const dated = documents
    .filter((document) => document.date !== null)
    .sort((a, b) => (a.date as string).localeCompare(b.date as string) || a.num - b.num);
  const differ = new Set(dated.map((document) => document.date)).size > 1;
  const inForce = differ ? dated.filter((document) => (document.date as string) <= today).at(-1) : undefined;
  const changes: EditionChange[] = [];
  for (const document of documents) {
    let edition: EditionChange["edition"] = null;
    if (inForce !== undefined && document.date !== null) {
      if (document.date === inForce.date) edition = "in-force";
      else if (document.date < (inForce.date as string)) edition = "superseded";
    }
    const supersededBy = edition === "superseded" ? (inForce?.num ?? null) : null;
    if (document.edition !== edition || document.supersededBy !== supersededBy) changes.push({ num: document.num, edition, supersededBy });
  }
  return changes;
}
