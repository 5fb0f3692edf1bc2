/** @file What a new chat starts with: the knowledge bases and model chosen last in this browser. */
export type Choice = { readonly kbIds: readonly string[]; readonly model: string | null };

const key = "starbox.choice";

export function loadChoice(): Choice {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "{}") as Partial<Choice>;
    return { kbIds: Array.isArray(kept.kbIds) ? kept.kbIds : [], model: typeof kept.model === "string" ? kept.model : null };
  } catch {
    return { kbIds: [], model: null };
  }
}

export function saveChoice(choice: Choice): void {
  try {
    localStorage.setItem(key, JSON.stringify(choice));
  } catch {
    // Storage closed to us: chosen again next time.
  }
}
