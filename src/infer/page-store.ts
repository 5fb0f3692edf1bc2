/**
 * @file Which pages of the cache belong to whom (Kwon et al., 2023). Full pages of finished sequences are kept by what they hold, and found again by the
 * next prompt that begins the same; the longest unused go first. Numbers only: the keys and values themselves lie on the device.
 */

type Kept = { readonly serial: number; readonly page: number; readonly key: string };

export class PageStore {
  readonly pageRows: number;
  readonly #free: number[];
  /** How many sequences read a page; a kept page may have none. */
  readonly #readers: Int32Array;
  /** By what they hold, the longest unused first (a Map keeps its order). */
  readonly #kept = new Map<string, Kept>();
  readonly #keptPages = new Map<number, Kept>();
  #serial = 0;

  constructor(pages: number, pageRows: number) {
    this.pageRows = pageRows;
    this.#free = Array.from({ length: pages }, (_, i) => pages - 1 - i);
    this.#readers = new Int32Array(pages);
  }

  get freePages(): number {
    let unused = 0;
    for (const { page } of this.#kept.values()) if (this.#readers[page] === 0) unused++;
    return this.#free.length + unused;
  }

  /** A page to write in, or null when all are in use. */
  take(): number | null {
    let page = this.#free.pop();
    if (page === undefined) {
      for (const kept of this.#kept.values())
        if (this.#readers[kept.page] === 0) {
          this.#forget(kept);
          page = kept.page;
          break;
        }
    }
    if (page === undefined) return null;
    this.#readers[page] = 1;
    return page;
  }

  /** Pages that already hold the beginning of these tokens, `root` (the adapter) being the same; at most `limit` tokens. They are then read by the caller. */
  find(root: string, tokens: readonly number[], limit: number): number[] {
    const pages: number[] = [];
    let parent = root;
    for (let at = 0; at + this.pageRows <= limit; at += this.pageRows) {
      const kept = this.#kept.get(keyOf(parent, tokens, at, this.pageRows));
      if (kept === undefined) break;
      this.#kept.delete(kept.key);
      this.#kept.set(kept.key, kept); // used last
      this.#readers[kept.page]!++;
      pages.push(kept.page);
      parent = `#${kept.serial}`;
    }
    return pages;
  }

  /** The sequence is over: its full pages stay findable, the rest is free. */
  release(root: string, tokens: readonly number[], computed: number, pages: readonly number[], keep: boolean): void {
    let parent: string | null = keep ? root : null;
    pages.forEach((page, i) => {
      this.#readers[page]!--;
      const known = this.#keptPages.get(page);
      if (known !== undefined) {
        parent = `#${known.serial}`;
        return;
      }
      const full = (i + 1) * this.pageRows <= computed;
      const key = parent === null || !full ? null : keyOf(parent, tokens, i * this.pageRows, this.pageRows);
      const twin = key === null ? undefined : this.#kept.get(key);
      if (key === null || twin !== undefined) {
        this.#free.push(page);
        parent = twin === undefined ? null : `#${twin.serial}`;
        return;
      }
      const kept = { serial: this.#serial++, page, key };
      this.#kept.set(key, kept);
      this.#keptPages.set(page, kept);
      parent = `#${kept.serial}`;
    });
  }

  /** What was computed with an adapter that has gone must not be found again. */
  forgetRoot(root: string): void {
    // Pages below the root are found through it alone; they fall out as the longest unused.
    for (const kept of [...this.#kept.values()])
      if (kept.key.startsWith(`${root}|`)) {
        this.#forget(kept);
        if (this.#readers[kept.page] === 0) this.#free.push(kept.page);
      }
  }

  #forget(kept: Kept): void {
    this.#kept.delete(kept.key);
    this.#keptPages.delete(kept.page);
  }
}

/** Serials are never used twice, so a page below one that has gone is never found. */
const keyOf = (parent: string, tokens: readonly number[], at: number, rows: number): string => `${parent}|${tokens.slice(at, at + rows).join()}`;
