/** @file The forms of gated activations, y = f(gate) · up, and of their gradients. No operator itself. */
import { defineOp, type OpForm } from "../op.ts";
import { elementwiseCost, elementwiseSamples, sameAs } from "./shared.ts";
import { activation, noSecondGradient, typeOf } from "./shared-operands.ts";

type Gated = { readonly f: (x: number) => number; readonly slope: (x: number) => number };

export const gated = (op: string, { f }: Gated): OpForm =>
  defineOp({
    inputs: [activation("gate"), activation("up")],
    outputs: ["y"],
    infer: sameAs(op, 0),
    gradient: ({ inputs: [gate, up], upstream: [dy], applyAll }) => applyAll(`${op}Backward`, [dy!, gate!, up!], {}, typeOf(gate!)),
    reference: ([gate, up]) => [gate!.values.map((g, i) => f(g) * up!.values[i]!)],
    cost: elementwiseCost(7),
    samples: elementwiseSamples(2),
    mayOverwrite: [0, 1],
  });

export const gatedBackward = (op: string, { f, slope }: Gated): OpForm =>
  defineOp({
    inputs: [activation("dy"), activation("gate"), activation("up")],
    outputs: ["dgate", "dup"],
    infer: sameAs(op, 0, 2),
    gradient: noSecondGradient,
    reference: ([dy, gate, up]) => [
      dy!.values.map((d, i) => d * up!.values[i]! * slope(gate!.values[i]!)),
      dy!.values.map((d, i) => d * f(gate!.values[i]!)),
    ],
    cost: elementwiseCost(12),
    samples: elementwiseSamples(3, { finite: true }),
    mayOverwrite: [0, 1, 2],
  });
