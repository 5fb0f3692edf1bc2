/** @file The door of `platform`: people, sessions, API keys, who may read and write what. */
export { type AccessStore, createAccess } from "./access.ts";
export { createKeysService } from "./keys.ts";
export { createPeopleService, type PeopleServiceDeps } from "./people-service.ts";
export { createPlatform, type PlatformOptions } from "./platform.ts";
export { lastAdministrator } from "./problems.ts";
export { createRefusals, type Refusals } from "./refusals.ts";
export { createRevocations, type Revocations } from "./revocations.ts";
export type { PeopleStore } from "./store.ts";
