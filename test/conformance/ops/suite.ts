/** @file The conformance suite of operators: every sample of every operator on a device, forward and backward, against the float64 reference. */
import { afterAll, describe, expect, test } from "vitest";
import type { Device, KnownDifference, TensorData } from "../../../src/compute/backends/backend.ts";
import { ReferenceDevice } from "../../../src/compute/backends/reference/reference-device.ts";
import { dtypes } from "../../../src/compute/dtype.ts";
import type { Sample } from "../../../src/compute/op.ts";
import { type OpName, opNames, ops } from "../../../src/compute/ops/index.ts";
import { compareTensors, type Precision } from "../../../src/compute/verify/compare.ts";
import { precisionOf } from "../../../src/compute/verify/precision.ts";
import { runSample, whyNot } from "../../../src/compute/verify/run-sample.ts";
import { forwardProgram, gradientProgram, noGradientReason, type SampleProgram } from "../../../src/compute/verify/sample-program.ts";
import { explains } from "../../../src/compute/verify/verify-operator.ts";

const reference = new ReferenceDevice();
const answers = new Map<string, Promise<Readonly<Record<string, TensorData>>>>();
/** The reference runs once a sample, however many devices are compared. */
function answer(kind: string, op: OpName, sample: Sample, program: SampleProgram): Promise<Readonly<Record<string, TensorData>>> {
  const key = `${kind} ${op} ${sample.label}`;
  const known = answers.get(key) ?? runSample(reference, program);
  answers.set(key, known);
  return known;
}

export type SuiteOptions = {
  /** Named in the tests. */
  readonly name: string;
  /** Null with a reason where the device cannot exist on this machine. */
  readonly open: () => Promise<Device | { readonly missing: string }>;
  /** Int8 products too. */
  readonly int8?: boolean;
  /** Other samples than the forms' own. */
  readonly samplesOf?: (op: OpName) => readonly Sample[];
  /** Operator and sample -> why this device's numbers differ from ours by its own design. One that no longer differs fails the test. */
  readonly differs?: Readonly<Record<string, KnownDifference>>;
  /** How many comparisons must have happened at least, forward and gradients. */
  readonly atLeast?: readonly [number, number];
};

/** Declares the tests of one device. */
export function conformance({
  name,
  open,
  int8 = false,
  samplesOf = (op) => ops[op].samples,
  differs = {},
  atLeast = [400, 200],
}: SuiteOptions): void {
  describe(name, async () => {
    const device = await open();
    if ("missing" in device) {
      test.skip(`${name} (${device.missing})`, () => {});
      return;
    }
    const looked = { forward: 0, gradients: 0, refused: new Map<string, number>() };
    /** How often an expected difference was seen. */
    const met = new Map<string, number>();
    const ulp = new Map<OpName, number>();

    const check = (
      op: OpName,
      sample: Sample,
      program: SampleProgram,
      expected: Readonly<Record<string, TensorData>>,
      got: Readonly<Record<string, TensorData>>,
      precision: Precision,
      slack: number,
    ): string[] => {
      const names = Object.keys(expected).filter((output) => output !== "loss");
      expect(Object.keys(got).toSorted()).toEqual(Object.keys(expected).toSorted());
      const problems = names.flatMap((output) => {
        const spec = program.program.values.get(program.program.outputs.get(output)!)!.spec;
        const compare = (numbers: TensorData) => compareTensors(spec, expected[output]!, numbers, precision, slack);
        const { ok, problem, excess, ulpMax } = compare(got[output]!);
        if (slack === 1 && precision === "f32" && spec.dtype === "f32") ulp.set(op, Math.max(ulp.get(op) ?? 0, ulpMax));
        if (ok) return [];
        const key = `${op}, ${sample.label}`;
        const known = differs[key];
        if (known !== undefined && explains(known, excess, (numbers) => compare(numbers).ok, expected[output]!, got[output]!)) {
          met.set(key, (met.get(key) ?? 0) + 1);
          return [];
        }
        return [`${op} "${sample.label}" ${output}: ${problem}`];
      });
      return problems;
    };

    /** Runs on the device, or notes the reason why not; refusing must then be an error that says so. */
    const tryOn = async (program: SampleProgram, run: () => Promise<string[]>): Promise<string[]> => {
      const why = whyNot(device, program);
      if (why === null) return run();
      looked.refused.set(why, (looked.refused.get(why) ?? 0) + 1);
      await expect(runSample(device, program)).rejects.toMatchObject({ code: "device_unsupported" });
      return [];
    };

    const weightTypesOf = (op: OpName): number => ops[op].inputs.findIndex((rule) => rule.dtypes.includes("packed"));

    test.each(opNames.filter((op) => samplesOf(op).length > 0).map((op) => [op] as const))("%s: forward", async (op) => {
      const problems: string[] = [];
      for (const sample of samplesOf(op)) {
        const program = forwardProgram(op, sample);
        const expected = await answer("forward", op, sample, program);
        const precision = precisionOf(device, op, sample, program);
        problems.push(
          ...(await tryOn(program, async () => {
            looked.forward++;
            const found = check(op, sample, program, expected, await runSample(device, program, { optimize: false }), precision, 1);
            const weight = sample.inputs[weightTypesOf(op)];
            if (weight == null) return found;
            found.push(...check(op, sample, program, expected, await runSample(device, program), precision, 1).map((text) => `packed: ${text}`));
            if (int8 && dtypes[weight.dtype].kind === "quantized")
              found.push(
                ...check(op, sample, program, expected, await runSample(device, program, { int8: true }), "int8", 1).map((text) => `int8: ${text}`),
              );
            return found;
          })),
        );
      }
      expect(problems).toEqual([]);
    });

    const differentiable = opNames.filter((op) => samplesOf(op).some((sample) => noGradientReason(op, sample) === null));
    test.each(differentiable.map((op) => [op] as const))("%s: gradients", async (op) => {
      const problems: string[] = [];
      for (const sample of samplesOf(op)) {
        if (noGradientReason(op, sample) !== null) continue;
        const program = gradientProgram(op, sample);
        const expected = await answer("gradient", op, sample, program);
        const forward = precisionOf(device, op, sample, program);
        const precision = forward === "exact" ? "f32" : forward;
        problems.push(
          ...(await tryOn(program, async () => {
            looked.gradients++;
            return check(op, sample, program, expected, await runSample(device, program), precision, 4);
          })),
        );
      }
      expect(problems).toEqual([]);
    });

    if (Object.keys(differs).length > 0) {
      test("every expected difference is one", () => {
        const gone = Object.keys(differs).filter((key) => (met.get(key) ?? 0) === 0);
        expect(gone).toEqual([]);
      });
    }

    afterAll(() => {
      const worst = [...ulp].toSorted((a, b) => b[1] - a[1]).slice(0, 5);
      const words = worst.map(([op, most]) => `${op} ${most.toPrecision(2)}`).join(", ");
      process.stdout.write(
        `  ${name} (${device.description}): ${looked.forward} forward, ${looked.gradients} gradients; most ULP in f32: ${words}\n`,
      );
      for (const [key, { why }] of Object.entries(differs)) process.stdout.write(`    differs: ${key}: ${why}\n`);
      for (const [why, count] of looked.refused) process.stdout.write(`    refused ${count}×: ${why}\n`);
      device[Symbol.dispose]();
      expect(looked.forward).toBeGreaterThanOrEqual(atLeast[0]);
      expect(looked.gradients).toBeGreaterThanOrEqual(atLeast[1]);
    });
  });
}
