/** @file Looking at the box through somebody else's eyes: kept for this browser tab, sent with every request, shown in the frame. */

const key = "starbox-view-as";

export type ViewedPerson = { readonly id: string; readonly name: string };

export function viewedPerson(): ViewedPerson | null {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null") as ViewedPerson | null;
  } catch {
    return null;
  }
}

/** A fresh start of the page: nothing that was read as oneself stays on the screen. */
export function startViewAs(person: ViewedPerson): void {
  sessionStorage.setItem(key, JSON.stringify(person));
  location.assign("/knowledge");
}

export function stopViewAs(): void {
  sessionStorage.removeItem(key);
  location.assign("/box/people");
}

export function fetchAsViewed(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const person = viewedPerson();
  if (person === null) return fetch(input, init);
  const headers = new Headers(init.headers);
  headers.set("x-starbox-view-as", person.id);
  return fetch(input, { ...init, headers });
}
