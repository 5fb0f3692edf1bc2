/** @file 60 labelled questions of 20 classes behind one instruction, and 100 held back: made from CMMLU's exam questions (never committed), the same on every run. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { StarboxError } from "#base";

const classes: Readonly<Record<string, string>> = {
  agronomy: "农学",
  ancient_chinese: "古汉语",
  anatomy: "解剖学",
  astronomy: "天文学",
  business_ethics: "商业伦理",
  chinese_driving_rule: "驾驶规则",
  chinese_food_culture: "饮食文化",
  clinical_knowledge: "临床护理",
  college_law: "法律",
  computer_security: "信息安全",
  construction_project_management: "工程管理",
  economics: "经济学",
  electrical_engineering: "电气工程",
  genetics: "遗传学",
  journalism: "新闻传播",
  marketing: "市场营销",
  nutrition: "营养学",
  professional_accounting: "会计",
  sports_science: "体育",
  traditional_chinese_medicine: "中医",
};

const instruction = `你是咨询台的分类员。阅读下面的咨询，判断它属于哪一类，只回答类别名称。类别：${Object.values(classes).join("、")}。`;

export type LabelledRow = {
  readonly messages: readonly [
    { readonly role: "system"; readonly content: string },
    { readonly role: "user"; readonly content: string },
    { readonly role: "assistant"; readonly content: string },
  ];
};
export type Consultations = { readonly training: readonly LabelledRow[]; readonly heldOut: readonly LabelledRow[] };

/** The second field of a CSV line; quoted where it holds commas. */
function questionOf(line: string): string {
  const found = /^\d*,(?:"((?:[^"]|"")*)"|([^,]*)),/.exec(line);
  return (found?.[1] ?? found?.[2] ?? "").replaceAll('""', '"').trim();
}

/** Throws not_found where the data is missing. */
export function makeConsultations(data: string, trainingEach = 3, heldOutEach = 5): Consultations {
  const folder = path.join(data, "cmmlu", "test");
  if (!fs.existsSync(folder))
    throw new StarboxError("not_found", `The measurement needs CMMLU's test files in ${folder}.`, {
      hint: "STARBOX_BENCH_DATA names the folder that holds cmmlu/.",
      zh: { message: `此测量需要 ${folder} 中的 CMMLU 测试文件。`, hint: "用 STARBOX_BENCH_DATA 指定包含 cmmlu/ 的目录。" },
    });
  const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
  const each = Object.entries(classes).map(([subject, label]) => {
    const lines = fs
      .readFileSync(path.join(folder, `${subject}.csv`), "utf8")
      .split(/\r?\n/)
      .slice(1);
    const questions = [...new Set(lines.map(questionOf))].filter((question) => question.length >= 10 && question.length <= 60);
    const chosen = questions.toSorted((a, b) => (hash(a) < hash(b) ? -1 : 1)).slice(0, trainingEach + heldOutEach);
    return chosen.map(
      (content): LabelledRow => ({
        messages: [
          { role: "system", content: instruction },
          { role: "user", content },
          { role: "assistant", content: label },
        ],
      }),
    );
  });
  return { training: each.flatMap((rows) => rows.slice(0, trainingEach)), heldOut: each.flatMap((rows) => rows.slice(trainingEach)) };
}
