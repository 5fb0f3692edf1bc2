/** @file What `platform` needs kept. `storage` has it; `app` hands it over. */
import type { PeopleStore as Store } from "#storage";

export type { AuthRow, AuthWhere } from "#storage";

export type PeopleStore = Store;
export type StoredPerson = NonNullable<ReturnType<Store["readPerson"]>>;
export type StoredKey = NonNullable<ReturnType<Store["keys"]["read"]>>;
