/** @file The rows of `starbox ops verify`: every sample of an operator on a device, forward and backward; the reference's own gradients by finite differences. */
import type { Device, KnownDifference, TensorData } from "../backends/backend.ts";
import { ReferenceDevice } from "../backends/reference/reference-device.ts";
import type { Sample } from "../op.ts";
import { type OpName, ops } from "../ops/index.ts";
import { compareTensors } from "./compare.ts";
import { checkByDifferences } from "./finite-differences.ts";
import { precisionOf } from "./precision.ts";
import { runSample, whyNot } from "./run-sample.ts";
import { forwardProgram, gradientProgram, noGradientReason, type SampleProgram } from "./sample-program.ts";

export type VerifyRow = {
  readonly op: string;
  readonly device: string;
  readonly dtype: string;
  readonly shape: string;
  readonly pass: "run" | "fwd" | "bwd";
  readonly ok: boolean;
  /** "times the limit": of the largest error over what its type and operator allow. */
  readonly metric: string;
  readonly value: number | null;
  readonly threshold: number | null;
  /** Why it could not run, what is wrong, or which known difference of the device this is. */
  readonly reason?: string;
  /** Not ours by the device's own design, and as far off as that explains. */
  readonly known?: true;
};

/** A gradient after a forward pass multiplies what one operator leaves. */
const gradientSlack = 4;
const reference = new ReferenceDevice();

function describe(device: Device, op: OpName, { label, inputs, as }: Sample) {
  const specs = inputs.filter((input) => input !== null);
  const dtype = [...new Set(specs.map((spec) => spec.dtype))].join(" ") || (as ?? "-");
  return { op, device: device.name, dtype, shape: `${label}: ${specs.map(({ shape }) => `[${shape.join(", ")}]`).join(" ")}` };
}

async function compareOn(device: Device, op: OpName, sample: Sample, pass: "fwd" | "bwd", prepared: SampleProgram): Promise<VerifyRow[]> {
  const shared = describe(device, op, sample);
  const why = whyNot(device, prepared);
  if (why !== null)
    return [{ ...shared, pass: "run", ok: true, metric: "-", value: null, threshold: null, reason: pass === "fwd" ? why : `backward: ${why}` }];
  const [expected, got] = [await runSample(reference, prepared), await runSample(device, prepared)];
  const own = precisionOf(device, op, sample, prepared);
  // A move is exact; the gradient of one may be a sum.
  const precision = pass === "bwd" && own === "exact" ? "f32" : own;
  const names = Object.keys(expected).filter((name) => name !== "loss");
  const slack = pass === "bwd" ? gradientSlack : 1;
  const difference = device.differs?.[`${op}, ${sample.label}`];
  return names.map((name) => {
    const { spec } = prepared.program.values.get(prepared.program.outputs.get(name)!)!;
    const { ok, problem, excess } = compareTensors(spec, expected[name]!, got[name]!, precision, slack);
    const row = { ...shared, pass, metric: "times the limit", value: excess, threshold: 1 };
    if (ok) return { ...row, ok };
    const explained =
      difference !== undefined &&
      explains(difference, excess, (numbers) => compareTensors(spec, expected[name]!, numbers, precision, slack).ok, expected[name]!, got[name]!);
    if (!explained) return { ...row, ok, reason: `${name}: ${problem}` };
    return { ...row, ok: true, known: true as const, reason: `${difference.why}: ${name}: ${problem}` };
  });
}

/** Whether a difference is no larger than what the device says of it. */
export function explains(
  { within }: KnownDifference,
  excess: number,
  holds: (got: TensorData) => boolean,
  expected: TensorData,
  got: TensorData,
): boolean {
  if (within !== "not a number") return excess <= within;
  return holds(got.map((value, i) => (Number.isNaN(value) === Number.isNaN(expected[i]!) ? value : expected[i]!)) as TensorData);
}

function compareByDifferences(device: Device, op: OpName, sample: Sample): VerifyRow[] {
  if (sample.inputs.some((input) => input?.dtype === "bf16")) return [];
  const { mismatches, compared } = checkByDifferences(gradientProgram(op, sample));
  if (compared === 0) return [];
  const [first] = mismatches;
  const reason =
    first === undefined ? {} : { reason: `${first.operand}, ${first.at}: the rule gives ${first.rule}, differences ${first.difference}` };
  return [
    {
      ...describe(device, op, sample),
      pass: "bwd",
      ok: mismatches.length === 0,
      metric: "directions that differ",
      value: mismatches.length,
      threshold: 0,
      ...reason,
    },
  ];
}

export async function* verifyOperator(device: Device, op: OpName): AsyncGenerator<VerifyRow> {
  for (const sample of ops[op].samples) {
    const byItself = device.name === "reference";
    if (!byItself) yield* await compareOn(device, op, sample, "fwd", forwardProgram(op, sample));
    if (noGradientReason(op, sample) !== null) continue;
    yield* byItself ? compareByDifferences(device, op, sample) : await compareOn(device, op, sample, "bwd", gradientProgram(op, sample));
  }
}
