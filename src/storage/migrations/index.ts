/** @file Every migration there is. Add a line; never change one that has shipped. */
import type { Migration } from "../migrate.ts";
import { base } from "./001-base.ts";
import { index } from "./005-index.ts";
import { citations } from "./006-citations.ts";
import { people } from "./010-people.ts";
import { access } from "./020-access.ts";
import { signIn } from "./021-sign-in.ts";
import { keys } from "./030-keys.ts";
import { usage } from "./031-usage.ts";
import { audit } from "./032-audit.ts";
import { privacy } from "./033-privacy.ts";
import { pages } from "./040-pages.ts";
import { held } from "./041-held.ts";
import { usageTeams } from "./042-usage-teams.ts";

export const migrations: readonly Migration[] = [
  base,
  index,
  citations,
  people,
  access,
  signIn,
  keys,
  usage,
  audit,
  privacy,
  pages,
  held,
  usageTeams,
];
