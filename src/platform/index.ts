/** @file The door of `platform`: people, sessions, API keys, who may read and write what. */
export { type AccessStore, createAccess } from "./access.ts";
export { createPlatform, type PlatformOptions } from "./platform.ts";
export type { PeopleStore } from "./store.ts";
