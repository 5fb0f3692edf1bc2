/** @file Every command, in the order of `starbox --help`. A new command: one file here, one line below. */
import type { Command } from "commander";
import { addAsk } from "./ask.ts";
import { addAudit } from "./audit.ts";
import { addBackup } from "./backup.ts";
import { addBench } from "./bench.ts";
import type { Builder } from "./builder.ts";
import { addBundle, addUpgrade } from "./bundle.ts";
import { addChat } from "./chat.ts";
import { addDoctor } from "./doctor.ts";
import { addGenerate } from "./generate.ts";
import { addKb } from "./kb.ts";
import { addKeys } from "./keys.ts";
import { addModels } from "./models.ts";
import { addOps } from "./ops.ts";
import { addPeople } from "./people.ts";
import { addPrivacy } from "./privacy.ts";
import { addRestore } from "./restore.ts";
import { addService } from "./service.ts";
import { addStart } from "./start.ts";
import { addTrain } from "./train.ts";
import { addUsage } from "./usage.ts";

export const commands: readonly ((program: Command, builder: Builder) => void)[] = [
  addStart,
  addDoctor,
  addModels,
  addKb,
  addPeople,
  addAsk,
  addChat,
  addGenerate,
  addBackup,
  addRestore,
  addKeys,
  addUsage,
  addAudit,
  addPrivacy,
  addBundle,
  addUpgrade,
  addService,
  addBench,
  addOps,
  addTrain,
];
