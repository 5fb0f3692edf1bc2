/** @file The door of `alignment`: is a whole model right on a device, and how mature is each operator? Knows no command line and no engine. */
export { type CanRunRow, canRun } from "./can-run.ts";
export { compareNetwork, type NetworkResult, type StageResult, sampleIds } from "./compare-network.ts";
export { compareGolden, findGolden, type Golden, type GoldenRow } from "./golden.ts";
export { type BenchRecord, maturityOf, OperatorRecords, recordOf, type VerifyRecord } from "./maturity.ts";
export { type ModelSource, type OpenModel, openModel } from "./model.ts";
export { type AlignmentReport, type MaturityRow, type OperatorSummary, renderReport } from "./report.ts";
export { measureSpeed, type SpeedRow, wholeModel } from "./speed.ts";
export { type StageProgram, stageProgram } from "./stage-program.ts";
export { type Distance, distance, type LogitDistance, logitDistance, near } from "./statistics.ts";
