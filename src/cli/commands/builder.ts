/** @file What every command file is handed to describe itself and to run. */
import type { Command } from "commander";
import type { Cli } from "../cli.ts";

type Both = readonly [english: string, chinese: string];
/** A command with its description and examples in the chosen language. */
export type Adder = (name: string, description: Both, examples: readonly string[]) => Command;
/** `work` returns the exit code; nothing means 0. */
export type Runner = (work: (cli: Cli) => Promise<number | void>, flags?: { readonly port?: number; readonly host?: string }) => Promise<void>;
export type Builder = { readonly add: Adder; readonly t: (english: string, chinese: string) => string; readonly run: Runner };
