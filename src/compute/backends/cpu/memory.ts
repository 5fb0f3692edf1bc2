/** @file Native memory with one owner each. Reading after disposal and freeing under a borrower are named errors, never a crash. */
import { StarboxError } from "#base";
import { specBytes, type TensorSpec } from "../../dtype.ts";
import { type DeviceTensor, type TensorData, typedView } from "../backend.ts";
import { writeChecked } from "../write-checked.ts";
import { type Address, memoryAt, type Native } from "./native.ts";

export class NativeMemory implements Disposable {
  readonly #native: Native;
  readonly #name: string;
  readonly bytes: number;
  #address: Address;
  #borrowers = 0;

  /** Zeroed, 64-byte aligned. Throws memory_exceeded. */
  constructor(native: Native, name: string, bytes: number) {
    this.#native = native;
    this.#name = name;
    this.bytes = bytes;
    this.#address = native.alloc(Math.max(bytes, 64));
    if (this.#address === 0) {
      const mib = Math.ceil(bytes / 2 ** 20);
      throw new StarboxError("memory_exceeded", `"${name}" needs ${mib} MiB and the system has none left.`, {
        hint: "Close other programs, or use a smaller model, batch or context.",
        zh: { message: `“${name}”需要 ${mib} MiB 内存，系统已无可用内存。`, hint: "请关闭其他程序，或使用更小的模型、批次或上下文。" },
      });
    }
  }

  get address(): Address {
    this.#alive("used");
    return this.#address;
  }

  /** The bytes themselves: do not keep the view beyond the owner's life. */
  view(offset = 0, bytes = this.bytes - offset): ArrayBuffer {
    this.#alive("read");
    return memoryAt(this.#address + offset, Math.max(bytes, 1));
  }

  borrow(): Disposable {
    this.#alive("borrowed");
    this.#borrowers++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#borrowers--;
        held = false;
      },
    };
  }

  [Symbol.dispose](): void {
    if (this.#address === 0) return;
    if (this.#borrowers > 0) {
      throw new StarboxError("disposed", `"${this.#name}" is still used by ${this.#borrowers} executable(s): dispose those first.`);
    }
    this.#native.free(this.#address);
    this.#address = 0;
  }

  #alive(verb: string): void {
    if (this.#address === 0) throw new StarboxError("disposed", `"${this.#name}" was ${verb} after dispose().`);
  }
}

export class CpuTensor implements DeviceTensor {
  readonly spec: TensorSpec;
  readonly name: string;
  readonly memory: NativeMemory;
  readonly #derived: (() => void)[] = [];
  #version = 0;

  constructor(native: Native, name: string, spec: TensorSpec, data?: TensorData) {
    this.spec = spec;
    this.name = name;
    this.memory = new NativeMemory(native, name, specBytes(spec));
    if (data !== undefined) this.write(data);
  }

  write(data: TensorData): void {
    writeChecked(this.name, this.spec, data, this.memory.view());
    this.changed();
  }

  /** Another number whenever the values may have changed: what was rearranged from them under an earlier one is stale. */
  get version(): number {
    return this.#version;
  }

  /** To be called by whoever writes past `write`: a program that changes its parameter in place. */
  changed(): void {
    this.#version++;
  }

  read(): TensorData {
    const bytes = specBytes(this.spec);
    return typedView(this.spec.dtype, this.memory.view().slice(0, bytes), 0, bytes);
  }

  /** Runs when this tensor goes: what was derived from it goes with it. */
  onDispose(release: () => void): void {
    this.#derived.push(release);
  }

  [Symbol.dispose](): void {
    for (const release of this.#derived) release();
    this.#derived.length = 0;
    this.memory[Symbol.dispose]();
  }
}
