/** @file The door of `cli`: the command line over the box's services, running elsewhere or in this process. */
export type { BenchRow } from "#contracts";
export type { BenchOptions, CliParts, Connection, OpenedBox, Workshop } from "./cli.ts";
export { createRemoteServices } from "./remote/remote-services.ts";
export { type RunOptions, runCli } from "./run.ts";
export type { Terminal } from "./terminal.ts";
