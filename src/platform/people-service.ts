/** @file Looking after people, as one service: for HTTP and for a command line working alone. */
import type { PeopleService } from "#contracts";
import { createPeople, type PeopleDeps } from "./people.ts";
import { createSharing, type SharingDeps } from "./sharing.ts";

export type PeopleServiceDeps = PeopleDeps & SharingDeps;

export function createPeopleService(deps: PeopleServiceDeps): PeopleService {
  return { ...createPeople(deps), ...createSharing(deps) };
}
