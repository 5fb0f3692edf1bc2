/** @file The alignment report as one HTML page that needs nothing else, Chinese beside English. Draws what it is given; decides nothing. */
import type { CanRunRow } from "./can-run.ts";
import type { StageResult } from "./compare-network.ts";
import type { GoldenRow } from "./golden.ts";
import type { Maturity } from "./maturity.ts";
import { type Bar, escapeHtml as e, logBars } from "./plots.ts";
import type { SpeedRow } from "./speed.ts";
import type { LogitDistance } from "./statistics.ts";

export type OperatorSummary = {
  readonly op: string;
  readonly device: string;
  readonly pass: string;
  readonly checks: number;
  readonly failed: number /** Times the limit. */;
  readonly worst: number;
  readonly problem: string;
};
export type MaturityRow = { readonly op: string; readonly device: string; readonly level: Maturity; readonly why: string };

export type AlignmentReport = {
  readonly made: string;
  readonly machine: string;
  readonly commit: string;
  readonly model: { readonly file: string; readonly sha256: string; readonly family: string } | null;
  readonly devices: readonly { readonly name: string; readonly description: string; readonly build: string }[];
  readonly canRun: readonly CanRunRow[];
  readonly operators: readonly OperatorSummary[];
  readonly networks: readonly {
    readonly device: string;
    readonly ids: readonly number[];
    readonly stages: readonly StageResult[];
    readonly firstDiverging: string | null;
    readonly logits: LogitDistance | null;
    readonly llama:
      | {
          readonly stages: readonly { readonly stage: string; readonly error: number; readonly cosine: number }[];
          readonly logits: LogitDistance | null;
        }
      | { readonly missing: string };
    readonly golden:
      | { readonly by: string; readonly rows: readonly (GoldenRow & { readonly limit: number; readonly why?: string })[] }
      | { readonly missing: string };
    readonly speed: readonly SpeedRow[];
  }[];
  readonly maturity: readonly MaturityRow[];
};

const style = `body{font:15px/1.5 system-ui,"Noto Sans SC","PingFang SC","Microsoft YaHei",sans-serif;margin:0 auto;max-width:1000px;padding:24px;color:#1c2330;background:#fff}
h1{font-size:24px;margin:0}h2{font-size:18px;margin:32px 0 8px;border-bottom:1px solid #d8dde6}h3{font-size:15px;margin:16px 0 4px}
table{border-collapse:collapse;width:100%;font-size:13px}td,th{text-align:left;padding:3px 8px;border-bottom:1px solid #e6e9ef;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}
.good{color:#1a7f4b}.badly{color:#b3261e;font-weight:600}.dim{color:#667085}code{font-size:12px;word-break:break-all}svg{width:100%;height:auto}
svg text{font:11px system-ui,sans-serif;fill:#475467}.label{text-anchor:end}.tick{text-anchor:middle}.grid{stroke:#e6e9ef}.limit{stroke:#b3261e;stroke-dasharray:4 3}.a{fill:#3b6fd4}.b{fill:#7fb069}.c{fill:#e0a13c}.bad{fill:#b3261e}
.key span{display:inline-block;width:10px;height:10px;margin:0 4px 0 14px}.level-none{color:#98a2b3}.level-experimental{color:#b3261e}.level-works{color:#9a6700}.level-verified{color:#1a7f4b}.level-tuned{color:#3b6fd4;font-weight:600}`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<table><thead><tr>${head.map((cell) => `<th>${cell}</th>`).join("")}</tr></thead><tbody>${rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("")}</tbody></table>`;
const number = (value: number | null | undefined): string => (value == null ? "–" : value === 0 ? "0" : value.toPrecision(3));
const verdict = (ok: boolean, words = ""): string => `<span class="${ok ? "good" : "badly"}">${ok ? "√" : "×"} ${e(words)}</span>`;
const key = (entries: readonly (readonly [tone: string, words: string])[]): string =>
  `<p class="key">${entries.map(([tone, words]) => `<svg width="10" height="10" viewBox="0 0 10 10" style="width:10px;margin:0 4px 0 12px"><rect class="${tone}" width="10" height="10"/></svg>${e(words)}`).join("")}</p>`;

function canRunPart({ canRun, devices }: AlignmentReport): string {
  if (canRun.length === 0) return "";
  const names = devices.map(({ name }) => name);
  const rows = canRun.map((row) => [
    `<code>${e(row.op)}</code>`,
    row.pass,
    `${e(row.types)} <span class="dim">${e(row.shape)}</span>`,
    `${row.count}× <span class="dim">${e(row.first)}</span>`,
    ...names.map((name) => {
      const { kernel, reason } = row.devices[name]!;
      return kernel === null ? verdict(false, reason) : `<span class="good">√</span> <code>${e(kernel)}</code>`;
    }),
  ]);
  return `<h2>能否运行 · Can it run?</h2><p class="dim">来自模型计算图的每个算子、类型与形状（读取权重之前判断） · every operator of the model's graph with its types and shapes, judged before any weight was read</p>${table(["算子 op", "", "类型与形状 types, shapes", "次数 count", ...names.map(e)], rows)}`;
}

function operatorsPart({ operators }: AlignmentReport): string {
  if (operators.length === 0) return "";
  const failed = operators.filter((one) => one.failed > 0);
  const bars: Bar[] = operators.map((one) => ({
    label: `${one.op} ${one.pass}${new Set(operators.map(({ device }) => device)).size > 1 ? ` ${one.device}` : ""}`,
    values: [{ value: one.worst, tone: one.failed > 0 ? "bad" : one.pass === "bwd" ? "b" : "a" }],
  }));
  const list = failed.map((one) => `<li class="badly"><code>${e(one.op)}</code> ${e(one.device)} ${one.pass}: ${e(one.problem)}</li>`).join("");
  return `<h2>算子数值 · Same numbers, operator by operator?</h2><p>${verdict(failed.length === 0, `${operators.reduce((sum, one) => sum + one.checks, 0)} 次比较 checks, ${operators.reduce((sum, one) => sum + one.failed, 0)} 未通过 failed`)}</p><ul>${list}</ul>
<p class="dim">最大误差相对于允许误差（虚线 = 1） · largest error over what is allowed (dashed: 1)</p>${key([
    ["a", "前向 forward"],
    ["b", "反向 backward"],
    ["bad", "未通过 failed"],
  ])}${logBars(bars, { floor: 1e-4, ceiling: 1e2, limit: 1 })}`;
}

function networkPart(network: AlignmentReport["networks"][number]): string {
  const { stages, firstDiverging, logits, llama, golden, speed, device } = network;
  const bars: Bar[] = stages.map((one) => ({
    label: one.stage,
    values: [
      { value: one.forward.relative, tone: one.ok ? "a" : "bad" },
      { value: one.backward?.relative ?? 0, tone: "b" },
      { value: one.chain.relative, tone: "c" },
    ],
  }));
  const limit = Math.max(...stages.map((one) => one.limit));
  const rows = stages.map((one) => [
    `<code>${e(one.stage)}</code>`,
    one.precision,
    number(one.forward.relative),
    one.forward.cosine.toFixed(7),
    number(one.backward?.relative),
    number(one.chain.relative),
    verdict(one.ok, one.problem),
  ]);
  const noBackward = stages.find((one) => one.noBackward !== null)?.noBackward ?? null;
  const withLlama =
    "missing" in llama
      ? `<p class="badly">llama.cpp: ${e(llama.missing)}</p>`
      : `<h3>与 llama.cpp 比较（同一文件） · Against llama.cpp on the same file</h3><p class="dim">llama.cpp 将激活值量化为 8 位，因此量化权重下的差异是它的舍入 · with quantised weights llama.cpp rounds activations to 8 bits: the difference is that rounding</p>
${llama.logits === null ? "" : `<p>KL ${number(llama.logits.kl)}, argmax ${llama.logits.agree}/${llama.logits.tokens}, cosine ${llama.logits.cosine.toFixed(6)}</p>`}${logBars(
  llama.stages.map(({ stage, error }) => ({ label: stage, values: [{ value: error, tone: "c" }] })),
  { floor: 1e-8, ceiling: 1, limit: null },
)}`;
  const withGolden =
    "missing" in golden
      ? `<p class="dim">PyTorch: ${e(golden.missing)}</p>`
      : `<h3>与 PyTorch 基准值比较 · Against PyTorch's golden values</h3><p class="dim">${e(golden.by)}</p>${logBars(
          golden.rows.map(({ stage, error, limit }) => ({ label: stage, values: [{ value: error, tone: error > limit ? "bad" : "a" }] })),
          { floor: 1e-9, ceiling: 1, limit: Math.max(...golden.rows.map((row) => row.limit)) },
        )}`;
  const fast =
    speed.length === 0
      ? ""
      : `<h3>速度 · How fast?</h3>${table(
          ["", "激活 activations", "tokens", "tokens/s", "速率 rate", "上限 limit", "占比 share"],
          speed.map((one) => [
            one.what === "prefill" ? "预填充 prefill" : "解码（无缓存） decode, no cache",
            one.int8 ? "int8" : "f32",
            String(one.tokens),
            one.tokensPerSecond.toFixed(1),
            `${one.rate.toFixed(1)} ${one.unit}`,
            one.limit === null ? "–" : one.limit.toFixed(1),
            one.share === null ? "–" : `${(one.share * 100).toFixed(0)} %`,
          ]),
        )}`;
  return `<h2>网络数值 · Same network? — ${e(device)}</h2><p>${firstDiverging === null ? verdict(true, "逐层一致 every layer agrees") : verdict(false, `首个偏离的层 first diverging layer: ${firstDiverging}`)}</p>
${noBackward === null ? "" : `<p class="dim">反向无法运行 no backward pass: ${e(noBackward)}</p>`}${logits === null ? "" : `<p>最终 logits（整链）对 float64 · final logits of the whole chain against float64: KL ${number(logits.kl)}, argmax ${logits.agree}/${logits.tokens}, ${number(logits.relative)}</p>`}
<p class="dim">每层误差相对最大值 · error of each layer relative to its largest value</p>${key([
    ["a", "单层前向 one layer, forward"],
    ["b", "单层反向 backward"],
    ["c", "整链 whole chain"],
    ["bad", "偏离 diverges"],
  ])}${logBars(bars, { floor: 1e-9, ceiling: 1, limit })}
${table(["层 layer", "精度 precision", "前向 forward", "cosine", "反向 backward", "整链 chain", ""], rows)}${withGolden}${withLlama}${fast}`;
}

function maturityPart({ maturity }: AlignmentReport): string {
  if (maturity.length === 0) return "";
  const devices = [...new Set(maturity.map(({ device }) => device))];
  const byOp = new Map<string, Map<string, MaturityRow>>();
  for (const row of maturity) byOp.set(row.op, (byOp.get(row.op) ?? new Map()).set(row.device, row));
  const words: Readonly<Record<Maturity, string>> = {
    none: "无 none",
    experimental: "试验 experimental",
    works: "可用 works",
    verified: "已验证 verified",
    tuned: "已调优 tuned",
  };
  const rows = [...byOp].map(([op, each]) => [
    `<code>${e(op)}</code>`,
    ...devices.map((device) => {
      const row = each.get(device);
      return row === undefined ? "" : `<span class="level-${row.level}">${words[row.level]}</span> <span class="dim">${e(row.why)}</span>`;
    }),
  ]);
  return `<h2>成熟度 · Maturity</h2><p class="dim">由本构建在本机上的验证与测速结果计算得出 · computed from what was verified and measured with this build on this machine</p>${table(["算子 op", ...devices.map(e)], rows)}`;
}

export function renderReport(report: AlignmentReport): string {
  const { model, machine, commit, made, devices, networks } = report;
  const facts = [
    ...(model === null
      ? []
      : [["模型 model", `${e(model.file)} <span class="dim">(${e(model.family)}, sha256 ${e(model.sha256.slice(0, 16))}…)</span>`]]),
    ...devices.map(({ name, description, build }) => [`设备 device ${e(name)}`, `${e(description)} <span class="dim">${e(build)}</span>`]),
    ["机器 machine", e(machine)],
    ["提交 commit", `${e(commit)}, ${e(made)}`],
  ];
  return `<!doctype html><html lang="zh"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>对齐报告 · Alignment report</title><style>${style}</style></head><body>
<h1>对齐报告 · Alignment report</h1>${table(["", ""], facts)}${canRunPart(report)}${operatorsPart(report)}${networks.map(networkPart).join("")}${maturityPart(report)}</body></html>\n`;
}
