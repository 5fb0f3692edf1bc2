/** @file Merging neighbours, best pair first, leftmost of equals: what byte-pair encodings share. A heap, so that long words cost n log n. */

/** Parallel arrays as a binary heap, smallest (priority, left) on top; `tag` tells whether an entry is still true. */
export class MergeQueue {
  #priorities: number[] = [];
  #lefts: number[] = [];
  #tags: number[] = [];

  get size(): number {
    return this.#lefts.length;
  }

  push(priority: number, left: number, tag: number): void {
    const [priorities, lefts, tags] = [this.#priorities, this.#lefts, this.#tags];
    let at = lefts.length;
    priorities.push(priority);
    lefts.push(left);
    tags.push(tag);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (priorities[parent]! < priority || (priorities[parent] === priority && lefts[parent]! <= left)) break;
      priorities[at] = priorities[parent]!;
      lefts[at] = lefts[parent]!;
      tags[at] = tags[parent]!;
      at = parent;
    }
    priorities[at] = priority;
    lefts[at] = left;
    tags[at] = tag;
  }

  /** Removes the best entry. The queue must not be empty. */
  pop(): { readonly left: number; readonly tag: number } {
    const [priorities, lefts, tags] = [this.#priorities, this.#lefts, this.#tags];
    const best = { left: lefts[0]!, tag: tags[0]! };
    const [priority, left, tag] = [priorities.pop()!, lefts.pop()!, tags.pop()!];
    const size = lefts.length;
    if (size === 0) return best;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && (priorities[right]! < priorities[child]! || (priorities[right] === priorities[child] && lefts[right]! < lefts[child]!)))
        child = right;
      if (priority < priorities[child]! || (priority === priorities[child] && left <= lefts[child]!)) break;
      priorities[at] = priorities[child]!;
      lefts[at] = lefts[child]!;
      tags[at] = tags[child]!;
      at = child;
    }
    priorities[at] = priority;
    lefts[at] = left;
    tags[at] = tag;
    return best;
  }
}
