/** @file Kinds of operands and what gradient rules share. No operator itself. */
import { StarboxError } from "#base";
import { activationTypes, type DType, type TensorSpec, weightTypes } from "../dtype.ts";
import { type ApplyOptions, type GradientContext, invalidOperands, type OperandRule, type Value } from "../op.ts";

/** F: activations, gradients, small weights. */
export const activation = (name: string): OperandRule => ({ name, dtypes: activationTypes });
export const float32 = (name: string): OperandRule => ({ name, dtypes: ["f32"] });
/** I: row numbers, positions, seeds. */
export const integers = (name: string): OperandRule => ({ name, dtypes: ["i32"], constant: true });
/** W: matrices of weights, in any form they are stored in. */
export const weight = (name: string): OperandRule => ({ name, dtypes: [...weightTypes, "packed"] });
export const optional = (rule: OperandRule): OperandRule => ({ ...rule, optional: true });
export const constant = (rule: OperandRule): OperandRule => ({ ...rule, constant: true });

export const noSecondGradient = { none: "second derivatives are not needed for training" } as const;

/** The type asked for, or the fallback; refuses types this output cannot have. */
export function chosenType(op: string, as: DType | undefined, fallback: DType, allowed: readonly DType[] = activationTypes): DType {
  const type = as ?? fallback;
  if (!allowed.includes(type)) throw new StarboxError("tensor_invalid", `${op}: its result may be ${allowed.join(" or ")}, got ${type}.`);
  return type;
}

/** The options that give a gradient the type of the value it belongs to. */
export const typeOf = (value: Value | null): ApplyOptions => ({ as: value!.spec.dtype });

/** The gradient of the first output; refuses one that comes in through the others, which exist for the backward pass only. */
export function firstUpstream(op: string, { upstream }: GradientContext): Value {
  if (upstream.slice(1).some((value) => value !== null) || upstream[0] == null)
    throw new StarboxError("unsupported", `${op}: gradients flow through its first output only.`, {
      hint: "The other outputs serve the backward pass; do not build the loss on them.",
      zh: { message: `${op}：只有第一个输出可以求导。`, hint: "其余输出供反向计算使用，不要用它们构造损失。" },
    });
  return upstream[0];
}

/** Throws tensor_invalid unless the shapes fit. */
export function expectShapes(op: string, fits: boolean, expected: string, inputs: readonly (TensorSpec | null)[]): void {
  if (!fits) throw invalidOperands(op, expected, inputs);
}

/** Whether every given vector (or absent operand) has this shape. */
export const hasShape = (spec: TensorSpec | null, ...shape: number[]): boolean =>
  spec === null || (spec.shape.length === shape.length && spec.shape.every((size, i) => size === shape[i]));
export const rankOf = (spec: TensorSpec): number => spec.shape.length;
