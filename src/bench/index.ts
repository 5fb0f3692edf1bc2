/** @file The door of `bench`: measurements of a real box that anybody can repeat. */
export { measureAnswer } from "./answer.ts";
export { type Consultations, makeConsultations } from "./consultations.ts";
export { measureIdle } from "./idle.ts";
export { measureInfer } from "./infer.ts";
export { measureEmbedding, measureIngest } from "./ingest.ts";
export { withJitteredCopies } from "./large-base.ts";
export { measureLoad } from "./load.ts";
export { measurePeople } from "./people.ts";
export { measureRecords } from "./records.ts";
export { measureRetrieve } from "./retrieve.ts";
export { measureLarge } from "./retrieve-large.ts";
export { spawnBox } from "./spawned-box.ts";
