/** @file The measured figures quoted in README.md and README.zh.md come from docs/numbers.json (`starbox bench NAME --save`). Compares; with --write writes. */
import fs from "node:fs";
import path from "node:path";
import { projectRoot } from "./source-files.ts";

type Row = {
  readonly name: string;
  readonly case: string;
  readonly unit: string;
  readonly starbox: { readonly min: number; readonly median: number; readonly max: number };
  readonly machine: string;
  readonly commit: string;
};

const source = path.join(projectRoot, "docs", "numbers.json");
const rows: readonly Row[] = fs.existsSync(source) ? (JSON.parse(fs.readFileSync(source, "utf8")) as Row[]) : [];

const texts = {
  "README.md": {
    none: "No figures have been saved yet: `./starbox bench retrieve --save`.",
    head: ["measurement", "case", "median", "range", "machine", "commit"],
  },
  "README.zh.md": { none: "尚未保存测量结果：`./starbox bench retrieve --save`。", head: ["项目", "场景", "中位数", "范围", "机器", "提交"] },
} as const;

function block(text: (typeof texts)[keyof typeof texts]): string {
  if (rows.length === 0) return text.none;
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const body = rows.map((row) => {
    const { min, median, max } = row.starbox;
    return line([row.name, row.case, `${median} ${row.unit}`, min === max ? "–" : `${min} – ${max}`, row.machine, `\`${row.commit}\``]);
  });
  return [line(text.head), line(text.head.map(() => "---")), ...body].join("\n");
}

let stale = 0;
for (const [name, text] of Object.entries(texts)) {
  const file = path.join(projectRoot, name);
  const before = fs.readFileSync(file, "utf8");
  if (!/<!-- numbers -->[\s\S]*<!-- \/numbers -->/.test(before)) throw new Error(`${name} has no <!-- numbers --> block`);
  const after = before.replace(/<!-- numbers -->[\s\S]*<!-- \/numbers -->/, () => `<!-- numbers -->\n${block(text)}\n<!-- /numbers -->`);
  if (after === before) continue;
  if (process.argv.includes("--write")) fs.writeFileSync(file, after);
  else {
    stale++;
    console.error(`${name} does not quote docs/numbers.json. Run: npm run docs`);
  }
}
console.log(`${rows.length} figures`);
process.exit(stale > 0 ? 1 : 0);
