/** @file Finds special tokens that a text names, the longest first, before anything else is tokenised. */

export type Fragment = { readonly text: string } | { readonly id: number };
type Named = { readonly id: number; readonly text: string };
type Node = { readonly next: Map<number, Node>; place: number };

export class NamedTokens {
  readonly #tokens: readonly Named[];
  readonly #root: Node = { next: new Map(), place: -1 };

  /** In the order in which they are looked for. */
  constructor(tokens: readonly Named[]) {
    this.#tokens = tokens.filter(({ text }) => text !== "");
    this.#tokens.forEach(({ text }, place) => {
      let node = this.#root;
      for (let i = 0; i < text.length; i++) {
        let child = node.next.get(text.charCodeAt(i));
        if (child === undefined) node.next.set(text.charCodeAt(i), (child = { next: new Map(), place: -1 }));
        node = child;
      }
      if (node.place < 0) node.place = place;
    });
  }

  /** Every longer token takes its places before any shorter one does; what is between stays text. */
  split(text: string): readonly Fragment[] {
    let fragments: readonly Fragment[] = text === "" ? [] : [{ text }];
    // Thousands may be known and hardly ever is one there: one walk finds which.
    for (const place of this.#occurring(text)) {
      const { id, text: name } = this.#tokens[place]!;
      fragments = fragments.flatMap((fragment): readonly Fragment[] => {
        if ("id" in fragment) return [fragment];
        const between = fragment.text.split(name);
        return between.flatMap((part, i) => [...(i === 0 ? [] : [{ id }]), ...(part === "" ? [] : [{ text: part }])]);
      });
    }
    return fragments;
  }

  #occurring(text: string): readonly number[] {
    const places = new Set<number>();
    for (let start = 0; start < text.length; start++) {
      let node = this.#root.next.get(text.charCodeAt(start));
      for (let i = start + 1; node !== undefined; i++) {
        if (node.place >= 0) places.add(node.place);
        if (i >= text.length) break;
        node = node.next.get(text.charCodeAt(i));
      }
    }
    return [...places].sort((a, b) => a - b);
  }
}
