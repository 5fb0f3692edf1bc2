/** @file What a question asks for: the kind of thing, its head word and the place of the gap in the sentence. Rules only, Chinese and English. */
import { normalise, tagWords } from "../text/index.ts";

export const askKinds = ["time", "person", "place", "number", "reason", "manner", "judgement", "thing"] as const;
export type AskKind = (typeof askKinds)[number];

export type Question = {
  /** Normalised, without the closing question mark. */
  readonly text: string;
  readonly kind: AskKind;
  /** The word the gap belongs to ("球場" in "哪一個球場"), or "". */
  readonly head: string;
  /** Half-open place of the gap (question word and head) in `text`. */
  readonly holeStart: number;
  readonly holeEnd: number;
};

const classifier =
  "(?:一|几)?(?:个|位|种|类|所|座|项|条|款|支|部|届|本|份|篇|首|家|间|次|场|方|方面|门|样|块|只|些|名|级|阶|档|颗|枚|台|套|处|片|则|起|件|队|派|系)?";
const wh: readonly (readonly [RegExp, AskKind])[] = [
  [
    /(?:在|于)?(?:什么|甚么)(?:时候|时间|时期|年代|年份|日期|时代|朝代)|何(?:时|年|月|日)|哪一?(?:年|天|月|日)|几(?:年|月|日|号|点)(?!级|前)|when\b|what (?:year|date|time)/,
    "time",
  ],
  [/为什么|为甚么|为何(?!$)|(?:什么|甚么|何种|哪种|何)(?:样的)?(?:原因|缘故|理由)|何故|why\b/, "reason"],
  [/谁|何人|什么人|哪一?(?:个|位|名)?人|who\b|whose\b|whom\b/, "person"],
  [/哪里|那里|哪儿|何处|何地|什么地(?:方|点|区)|哪一?个?地(?:方|点|区)|where\b/, "place"],
  [/多少|多(?:大|高|长|久|远|重|深|宽|快|厚)|几(?=[^乎何经])|百分之几|第几|how (?:many|much|long|far|old|big|high)/, "number"],
  [/怎么|怎样|如何|怎麼|how\b/, "manner"],
  [new RegExp(`(?:哪|那)${classifier}|(?:什么|甚么|何种|何类|何|何者)(?:样的?|种|类型的?)?|which\\b|what\\b`), "thing"],
];
const headKinds: readonly (readonly [RegExp, AskKind])[] = [
  [/(?:年|月|日|时候|时间|时期|时代|世纪|年代|朝代|朝|年份|日期|期间|季节?|节日|星期)$/, "time"],
  [/(?:人|人物|者|总统|国王|皇帝|作家|教宗|教皇|将军|将领|学者|科学家|作者|导演|演员|歌手|球员|领袖|总理|首相|主席|君主|家)$/, "person"],
  [/(?:国|国家|城市|地区|地方|地点|省|省份|县|市|洲|岛|岛屿|半岛|州|区|村|镇|街|河|江|湖|海|山|地)$/, "place"],
  [/(?:数量|人数|面积|人口|比例|长度|高度|金额|价格|次数|温度|百分比)$/, "number"],
  [/(?:原因|缘故|理由)$/, "reason"],
  [/(?:方式|方法|手段|途径)$/, "manner"],
];

/** Reads a question. Never fails: without a question word the gap is at the end. */
export function readQuestion(question: string): Question {
  const text = normalise(question).replace(/[?？。!！\s]+$/u, "");
  const found = findWh(text);
  if (found === null)
    return {
      text,
      kind: isJudgement(text) ? "judgement" : "thing",
      head: headBefore(text, text.length),
      holeStart: text.length,
      holeEnd: text.length,
    };
  const { start, end } = found;
  let kind = found.kind;
  const after = kind === "thing" || kind === "number" || kind === "reason" ? headAfter(text, end) : "";
  const atEnd = end + after.length >= text.length - 1;
  const head = after !== "" ? after : kind === "thing" && atEnd ? headBefore(text, start) : "";
  if (kind === "thing" && head !== "") kind = headKinds.find(([pattern]) => pattern.test(head))?.[1] ?? kind;
  return { text, kind, head, holeStart: start, holeEnd: end + after.length };
}

function findWh(text: string): { start: number; end: number; kind: AskKind } | null {
  for (const [pattern, kind] of wh) {
    const match = pattern.exec(text);
    if (match !== null) return { start: match.index, end: match.index + match[0].length, kind };
  }
  return null;
}

function isJudgement(text: string): boolean {
  return /吗$|是否|能否|可否|会不会|能不能|是不是|可不可以|有没有/.test(text) || /^(?:is|are|can|does|do|may|must)\b/.test(text);
}

/** The nouns that follow the question word: "哪一種|戰鬥機|取代". */
function headAfter(text: string, from: number): string {
  let head = "";
  for (const { word, tag } of tagWords(text.slice(from, from + 16))) {
    if (/^(?:n|vn|an|eng|j|l|s|t|q|b|f|ng|tg)/.test(tag) && !/^[的是在]$/.test(word)) head += word;
    else if (head === "" && (word === "的" || /^(?:a|q|m)/.test(tag))) head += word;
    else break;
  }
  return head.replace(/^的/, "");
}

/** The noun before "是/为" at the gap: "全台灣人口第二密集的|縣轄市|為何". */
function headBefore(text: string, to: number): string {
  const before = text.slice(0, to).replace(/(?:是|为|有|叫|称|叫做|称为|在|于|名为)+(?:一)?$/u, "");
  const last = tagWords(before.slice(-12)).at(-1);
  return last !== undefined && /^(?:n|vn|j|l)/.test(last.tag) ? last.word : "";
}
