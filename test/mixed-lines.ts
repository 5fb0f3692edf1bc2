/** @file Lines of mixed Chinese, English, code, emoji, numbers, odd spaces and broken UTF-8, the same for the same seed: what tokenizers are compared on. */
import { createRandom } from "#compute";

const chinese =
  "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清己美再采转更单风切打白教速花带安场身车例真务具万每目至达走积示议声报斗完类八离华名确才科张信马节话米整空元况今集温传土许步群广石记需段研界拉林律叫且究观越织装影算低持音众书布复容儿须际商非验连断深难近矿千周委素技备半办青省列习响约支般史感劳便团往酸历市克何除消构府称太准精值号率族维划选标写存候毛亲快效斯院查江型眼王按格养易置派层片始却专状育厂京识适属圆包火住调满县局照参红细引听该铁价严龥㐀𠀀𪛖";
const english =
  "the of and to in is you that it he was for on are as with his they I at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part I'm don't we'll they've IT'S You'Re naïve café Straße ÜBER résumé".split(
    " ",
  );
const code =
  "for(let i=0;i<n;++i){ def __init__(self): return x<=y&&!z; }\n \tif (a[i]!==b->c) std::vector<int> λ=>{}; <div class=\"x\"> /* c */ // todo #include <stdio.h> SELECT * FROM t WHERE id='7'; $HOME $(x) \\n 0xFF 1e-9 3.14159 1,000,000 100% a_b-c.d@e.f https://例子.cn/?q=1&r=2 [x](y) ``` **b** ~~s~~".split(
    " ",
  );
const marks = [
  "🚀",
  "🌟",
  "👨‍👩‍👧‍👦",
  "🇨🇳",
  "❤️",
  "👍🏽",
  "…",
  "——",
  "“引号”",
  "，",
  "。",
  "！",
  "？",
  "、",
  "（",
  "）",
  "％",
  "①",
  "Ⅷ",
  "½",
  "x²",
  "٣٤",
  "ｆｕｌｌ",
  "ﬁ",
  "한국어",
  "日本語のテキスト",
  "Привет",
  "שלום",
  "مرحبا",
  "हिन्दी",
  "ไทย",
  "e\u0301",
  "\u200b",
  "\ufeff",
  "\u00ad",
  "▁",
  "Ġ",
];
const gaps = [" ", " ", " ", "", "", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n ", "\u3000", "\u00a0", "\u2003", "\u0085", " \u2028"];
const named = [
  "<|im_start|>",
  "<|im_end|>",
  "<|endoftext|>",
  "<bos>",
  "<eos>",
  "<start_of_turn>",
  "</s>",
  "<s>",
  "<pad>",
  "<unk>",
  "<mask>",
  "<tool_call>",
  "<|fim_prefix|>",
  "<unused3>",
  "<0x0A>",
  "<table>",
  "<|im_",
  "[UNK]",
  "[CLS]",
];

export function mixedLines(count: number, seed: number): Uint8Array[] {
  const random = createRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const hanzi = [...chinese];
  const run = (from: readonly string[], most: number): string => Array.from({ length: 1 + below(most) }, () => pick(from)).join("");
  const word = (): string => {
    const kind = random();
    if (kind < 0.3) return run(hanzi, 8);
    if (kind < 0.6) return pick(english);
    if (kind < 0.72) return pick(code);
    if (kind < 0.8) return String(below(10 ** (1 + below(7))));
    if (kind < 0.92) return pick(marks);
    if (kind < 0.96) return pick(named);
    return pick(english)
      .slice(0, 1 + below(3))
      .toUpperCase()
      .repeat(1 + below(4));
  };
  return Array.from({ length: count }, () => {
    const text = Array.from({ length: 1 + below(14) }, () => word() + pick(gaps)).join("");
    const bytes = Buffer.from(text, "utf8");
    if (random() >= 0.15) return new Uint8Array(bytes);
    // Broken: a byte lost, a byte of no character, or half a character at the end. Never 0: C strings end there.
    const at = below(bytes.length);
    const kind = below(3);
    const broken =
      kind === 0
        ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
        : kind === 1
          ? Buffer.concat([bytes.subarray(0, at), Buffer.of(128 + below(116)), bytes.subarray(at)])
          : Buffer.concat([bytes, Buffer.from("好").subarray(0, 1 + below(2))]);
    return new Uint8Array(broken);
  });
}
