/** @file People: who may add, change and remove whom. */
import { newId } from "#base";
import type { PersonInfo, Platform } from "#contracts";
import { lastAdministrator, needAdministrator, noPerson } from "./problems.ts";
import type { PeopleStore, StoredPerson } from "./store.ts";

type NewPerson = { readonly name: string; readonly email: string; readonly password: string; readonly role: PersonInfo["role"] };

export type People = Pick<Platform, "listPeople" | "createPerson" | "updatePerson" | "removePerson"> & {
  /** The rows of a new person, password hashed; stored by the caller. */
  prepare(input: NewPerson): Promise<{ readonly person: StoredPerson; readonly account: { readonly id: string; readonly passwordHash: string } }>;
};

export function createPeople(store: PeopleStore, hashPassword: (password: string) => Promise<string>, now: () => number): People {
  const at = (): string => new Date(now()).toISOString();
  const prepare: People["prepare"] = async (input) => ({
    person: { id: newId("person", now()), name: input.name, email: input.email.toLowerCase(), role: input.role, createdAt: at() },
    account: { id: newId("account", now()), passwordHash: await hashPassword(input.password) },
  });
  return {
    prepare,
    async listPeople(actor) {
      needAdministrator(actor);
      return store.listPeople();
    },
    async createPerson(actor, input) {
      needAdministrator(actor);
      const { person, account } = await prepare(input);
      store.createPerson(person, account);
      return person;
    },
    async updatePerson(actor, id, { password, ...patch }) {
      if (patch.role !== undefined || actor.personId !== id) needAdministrator(actor);
      const found = store.readPerson(id);
      if (found === undefined) throw noPerson(id);
      const hashed = password === undefined ? {} : { passwordHash: await hashPassword(password) };
      if (!store.updatePerson(id, { ...patch, ...hashed }, at())) throw lastAdministrator();
      return store.readPerson(id) ?? found;
    },
    async removePerson(actor, id) {
      needAdministrator(actor);
      if (store.readPerson(id) === undefined) throw noPerson(id);
      if (!store.removePerson(id)) throw lastAdministrator();
    },
  };
}
