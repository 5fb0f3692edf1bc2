/** @file Gradients by finite differences in float64, against those that the operators' own rules give. */
import { evaluate } from "../backends/reference/evaluate.ts";
import { createRandom, seedOf } from "../backends/reference/sample-values.ts";
import { loadValues } from "../backends/reference/storage.ts";
import type { Program } from "../graph/program.ts";
import type { SampleProgram } from "./sample-program.ts";

const step = 1e-5;
/** Elements tried one by one of each operand, besides one random direction through all of them. */
const singles = 12;

export type GradientMismatch = { readonly operand: string; readonly at: string; readonly rule: number; readonly difference: number };

/** The nodes that make the loss, without those of the gradients. */
function lossOnly(program: Program): Program {
  const loss = program.outputs.get("loss")!;
  const end = program.nodes.findIndex((node) => node.outputs.includes(loss)) + 1;
  return { ...program, nodes: program.nodes.slice(0, end) };
}

/** Compares in several directions; answers those that differ, and how many were compared. */
export function checkByDifferences(sample: SampleProgram): { readonly mismatches: readonly GradientMismatch[]; readonly compared: number } {
  const { program } = sample;
  const named = [...program.values.values()].filter(({ kind }) => kind !== "result");
  const given = new Map(named.map(({ id, name, spec }) => [id, loadValues(spec, sample.data[name!]!)]));
  const forward = lossOnly(program);
  const lossId = program.outputs.get("loss")!;
  const lossAt = (id: number, moved: Float64Array): number =>
    evaluate(forward, new Map(given).set(id, moved), { round: false }).values.get(lossId)![0]!;
  const { values } = evaluate(program, given, { round: false });
  const mismatches: GradientMismatch[] = [];
  let compared = 0;
  for (const operand of sample.wanted) {
    const { id } = named.find(({ name }) => name === operand)!;
    const x = given.get(id)!;
    const rule = values.get(program.outputs.get(`gradient:${operand}`)!)!;
    const random = createRandom(seedOf(operand));
    const check = (at: string, direction: Float64Array): void => {
      const shifted = (sign: number): Float64Array => x.map((v, i) => v + sign * step * direction[i]!);
      const difference = (lossAt(id, shifted(1)) - lossAt(id, shifted(-1))) / (2 * step);
      const slope = rule.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      const size = Math.sqrt(rule.reduce((sum, g, i) => sum + (g * direction[i]!) ** 2, 0));
      compared++;
      if (!(Math.abs(difference - slope) <= 1e-5 * (Math.abs(slope) + size) + 1e-7)) mismatches.push({ operand, at, rule: slope, difference });
    };
    if (x.length === 0) continue;
    check(
      "a random direction",
      x.map(() => 2 * random() - 1),
    );
    const tried = x.length <= singles ? x.map((_, i) => i) : Float64Array.from({ length: singles }, () => Math.floor(random() * x.length));
    for (const i of tried) check(`element ${i}`, new Float64Array(x.length).fill(1, i, i + 1));
  }
  return { mismatches, compared };
}
