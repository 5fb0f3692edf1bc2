/** @file What a device promises: say what it can run and why not, hold tensors, compile a program, run it. One conformance suite tests every device against this. */
import type { DType, TensorSpec } from "../dtype.ts";
import type { Node, Program } from "../graph/program.ts";
import type { OpName } from "../ops/index.ts";

/** For every operator: the device's name for its kernel, or why there is none. A new operator does not compile until each device has said so. */
export type KernelTable = Readonly<Record<OpName, string | { readonly unsupported: string }>>;

/** Raw values in the tensor's own type; quantised ones as blocks. */
export type TensorData = Float32Array | Uint16Array | Int32Array | Uint8Array;

/** Memory of a device with one owner. Reading after disposal throws `disposed`. */
export interface DeviceTensor extends Disposable {
  readonly spec: TensorSpec;
  write(data: TensorData): void;
  read(): TensorData;
}

export type CompileOptions = {
  /** Parameters of the program by name. The executable borrows them. */
  readonly parameters?: Readonly<Record<string, DeviceTensor>>;
  /** Sees the program after every pass. */
  readonly watch?: (pass: string, program: Program) => void;
  /** False: run the nodes as they are, without fusion and packing. */
  readonly optimize?: boolean;
  /** Products with quantised weights may round their activations to int8, as llama.cpp does: several times faster, not exact. Default: exact. */
  readonly int8?: boolean;
  /** Executables compiled with it use one arena between them, as large as the largest needs: for many shapes of one program. Default: an arena each. */
  readonly sharedArena?: boolean;
};

export type MemoryNeed = { readonly arenaBytes: number; readonly scratchBytes: number; readonly inputBytes: number; readonly packedBytes: number };

export type RunOptions = {
  readonly inputs?: Readonly<Record<string, TensorData>>;
  readonly signal?: AbortSignal;
  /** Receives the seconds of every node, for STARBOX_DEBUG=2 and benchmarks. */
  readonly timing?: (node: Node, seconds: number) => void;
  /** Outputs stay on the device and the answer is empty: for measuring. */
  readonly discard?: boolean;
};

export interface Executable extends Disposable {
  /** After the device's passes. */
  readonly program: Program;
  /** Known before the first run. */
  readonly memory: MemoryNeed;
  /** Off the event loop where the device allows. Outputs are copies. Rejects with `cancelled` when the signal fires. */
  run(options?: RunOptions): Promise<Readonly<Record<string, TensorData>>>;
}

export type KnownDifference = {
  readonly why: string;
  /** At most so many times the limit; "not a number": only elements that should be NaN, or came out as NaN where an operand is. */
  readonly within: number | "not a number";
};

export interface Device extends Disposable {
  readonly name: string;
  /** In words: chip, instruction set, threads. */
  readonly description: string;
  readonly kernels: KernelTable;
  /** Null, or why this node cannot run here: types and shapes included. */
  whyNot(program: Program, node: Node): string | null;
  /** The least exact type values pass through inside this node, where it is less exact than its result's: "bf16", "q8_0", … Null: none. */
  rounding?(program: Program, node: Node): DType | null;
  /** By "operator, sample": where this device's numbers are not ours by its own design, and how far. Beyond that it is a fault. */
  readonly differs?: Readonly<Record<string, KnownDifference>>;
  tensor(name: string, spec: TensorSpec, data?: TensorData): DeviceTensor;
  /** Throws device_unsupported naming the first node that cannot run. */
  compile(program: Program, options?: CompileOptions): Executable;
}

/** The view of raw bytes that fits an element type. */
export function typedView(dtype: DType, buffer: ArrayBuffer, byteOffset = 0, byteLength = buffer.byteLength - byteOffset): TensorData {
  if (dtype === "f32") return new Float32Array(buffer, byteOffset, byteLength / 4);
  if (dtype === "i32") return new Int32Array(buffer, byteOffset, byteLength / 4);
  if (dtype === "f16" || dtype === "bf16") return new Uint16Array(buffer, byteOffset, byteLength / 2);
  return new Uint8Array(buffer, byteOffset, byteLength);
}
