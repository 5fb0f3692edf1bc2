/** @file Every migration there is. Add a line; never change one that has shipped. */
import type { Migration } from "../migrate.ts";
import { base } from "./001-base.ts";
import { people } from "./010-people.ts";

export const migrations: readonly Migration[] = [base, people];
