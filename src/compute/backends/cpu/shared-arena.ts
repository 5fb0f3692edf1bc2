/** @file Memory that executables of one device take turns in: as large as the largest needs. Runs never overlap, and outputs are copied before the next. */
import { NativeMemory } from "./memory.ts";
import type { Native } from "./native.ts";

export class SharedArena implements Disposable {
  readonly #native: Native;
  readonly #name: string;
  #memory: NativeMemory | null = null;

  constructor(native: Native, name: string) {
    this.#native = native;
    this.#name = name;
  }

  /** The memory, of at least so many bytes. What lay in a smaller one is gone. */
  atLeast(bytes: number): NativeMemory {
    if (this.#memory !== null && this.#memory.bytes >= bytes) return this.#memory;
    this.#memory?.[Symbol.dispose]();
    this.#memory = null;
    this.#memory = new NativeMemory(this.#native, this.#name, bytes);
    return this.#memory;
  }

  [Symbol.dispose](): void {
    this.#memory?.[Symbol.dispose]();
    this.#memory = null;
  }
}
