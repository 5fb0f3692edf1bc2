/** @file Makes samples/ from official statute texts: node --conditions=starbox-source scripts/make-samples.ts. Run again only when a statute changes. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { devDataFolder } from "../test/dev-data.ts";
import { type SampleBlock, writeDocx, writeXlsx } from "./samples/office-writer.ts";
import { writePdf } from "./samples/pdf-writer.ts";

/** Name with its edition date -> the format it is given in. */
const choice = {
  "劳动合同法(2012-12-28)": "md",
  "消费者权益保护法(2013-10-25)": "md",
  "劳动争议调解仲裁法(2007-12-29)": "md",
  "未成年人保护法(2020-10-17)": "md",
  "未成年人保护法(2024-04-26)": "md",
  "个人信息保护法(2021-08-20)": "docx",
  "数据安全法(2021-06-10)": "docx",
  "反家庭暴力法(2015-12-27)": "docx",
  "道路交通安全法(2021-04-29)": "pdf",
  "工伤保险条例(2010-12-20)": "pdf",
  "职工带薪年休假条例(2007-12-14)": "pdf",
  "住房公积金管理条例(2019-03-24)": "xlsx",
  "网络安全法(2016-11-07)": "docx",
} as const;

const lawsFolder = path.join(devDataFolder, "laws");
const outFolder = path.join(import.meta.dirname, "../samples");

function findLaw(name: string): string {
  for (const folder of readdirSync(lawsFolder)) {
    const file = path.join(lawsFolder, folder, `${name}.md`);
    try {
      return readFileSync(file, "utf8");
    } catch {
      // in another folder
    }
  }
  throw new Error(`No statute "${name}" under ${lawsFolder}.`);
}

function readBlocks(markdown: string): SampleBlock[] {
  return markdown
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("<!--"))
    .map((line) => {
      const heading = /^(#+)\s+(.*)$/.exec(line);
      if (heading === null) return { kind: "paragraph", text: line.trim() };
      const level = heading[1]?.length ?? 1;
      return { kind: level === 1 ? "title" : "heading", text: heading[2] ?? "", level };
    });
}

/** One row an article, as departments keep such tables. */
function articleRows(blocks: readonly SampleBlock[]): string[][] {
  const law = blocks[0]?.text ?? "";
  const rows: string[][] = [["法规", "章", "条", "内容"]];
  let chapter = "";
  for (const { kind, text } of blocks) {
    const article = /^(第[一二三四五六七八九十百]+条)\s+(.*)$/.exec(text);
    const last = rows.at(-1);
    if (kind === "heading") chapter = text;
    else if (article !== null) rows.push([law, chapter, article[1] ?? "", article[2] ?? ""]);
    else if (rows.length > 1 && last !== undefined) last[3] = `${last[3]}\n${text}`;
  }
  return rows;
}

async function makeSample(markdown: string, format: (typeof choice)[keyof typeof choice]): Promise<Uint8Array> {
  const blocks = readBlocks(markdown);
  if (format === "docx") return writeDocx(blocks);
  if (format === "pdf") return await writePdf(blocks, { running: blocks[0]?.text ?? "" });
  if (format === "xlsx") return writeXlsx([{ name: "条文", rows: articleRows(blocks) }]);
  return new TextEncoder().encode(markdown);
}

mkdirSync(outFolder, { recursive: true });
for (const file of readdirSync(outFolder)) if (file !== "README.md") rmSync(path.join(outFolder, file));
let total = 0;
for (const [name, format] of Object.entries(choice)) {
  const bytes = await makeSample(findLaw(name), format);
  writeFileSync(path.join(outFolder, `${name}.${format}`), bytes);
  total += bytes.byteLength;
  console.log(`${name}.${format}  ${bytes.byteLength} bytes`);
}
console.log(`${total} bytes in all`);
