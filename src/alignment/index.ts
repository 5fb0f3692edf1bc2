/** @file The door of `alignment`: is a whole model right on a device, and how mature is each operator? Knows no command line and no engine. */
export { type CanRunRow, canRun } from "./can-run.ts";
export { compareNetwork, type NetworkResult, sampleIds, type StageResult } from "./compare-network.ts";
export { type ModelSource, type OpenModel, openModel } from "./model.ts";
export { type StageProgram, stageProgram } from "./stage-program.ts";
export { type Distance, distance, type LogitDistance, logitDistance, near } from "./statistics.ts";
