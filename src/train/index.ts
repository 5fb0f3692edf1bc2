/** @file The door of `train`: from examples and a base to adapters. Knows no server and no data folder; text becomes tokens through what `app` hands in. */
export { type BaseModel, loadWeights, openBaseModel } from "./base-model.ts";
export { continueFromPeft } from "./export-adapter.ts";
export { planAdapters } from "./lora.ts";
export { type Example, type Packed, packBatch, packExamples, sharedTokens } from "./pack.ts";
export { rightAnswers } from "./right-answers.ts";
export { loraScale, parseRunConfig, type RunConfig, runDefaults } from "./run-config.ts";
export { batchAt, learningRateAt } from "./schedule.ts";
export type { AskEngine, ServedReport } from "./served.ts";
export { Session, type SessionEvent, type SessionOptions } from "./session.ts";
export { Stepper } from "./stepper.ts";
export { adapterValues, type TrainEvent, train } from "./trainer.ts";
