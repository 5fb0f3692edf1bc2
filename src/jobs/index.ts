/** @file The door of `jobs`: the durable queue and its runner. */
export { createJobRunner } from "./runner.ts";
