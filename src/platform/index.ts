/** @file The door of `platform`: people, sessions, API keys. */
export { createPlatform, type PlatformOptions } from "./platform.ts";
export type { PeopleStore } from "./store.ts";
