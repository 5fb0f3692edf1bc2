/** @file The door of `compute`: operators, graphs, devices. Knows no model, text or HTTP. */

export type { CompileOptions, Device, DeviceTensor, Executable, MemoryNeed, RunOptions, TensorData } from "./backends/backend.ts";
export { CpuDevice, type CpuOptions } from "./backends/cpu/cpu-device.ts";
export { cpuKernels } from "./backends/cpu/kernels.ts";
export { crossBuild, emulatedDevice, ensureNative, type NativeVariant } from "./backends/cpu/library.ts";
export { findGgmlChips, type GgmlChip, GgmlDevice } from "./backends/ggml/ggml-device.ts";
export { ReferenceDevice } from "./backends/reference/reference-device.ts";
export { createRandom, seedOf } from "./backends/reference/sample-values.ts";
export { loadValues, storeValues } from "./backends/reference/storage.ts";
export { benchOps, type OpBenchRow, type OutsidePeer } from "./bench/bench-ops.ts";
export type { BenchCase } from "./bench/case.ts";
export { benchCases } from "./bench/cases.ts";
export { startTorchPeer } from "./bench/torch-peer.ts";
export { type ActivationType, type DType, dtypes, elementCount, formatSpec, type PackedForm, specBytes, type TensorSpec } from "./dtype.ts";
export { checkProgram } from "./graph/check.ts";
export { Graph } from "./graph/graph.ts";
export { printProgram } from "./graph/print.ts";
export type { Node, Program } from "./graph/program.ts";
export type { Cost, OpForm, Params, ReferenceTensor, Sample, Value } from "./op.ts";
export { type OpName, opNames, ops } from "./ops/index.ts";
export { type Allowance, type Comparison, compareTensors, type Precision } from "./verify/compare.ts";
export { nodePrecision } from "./verify/precision.ts";
export { type VerifyRow, verifyOperator } from "./verify/verify-operator.ts";
