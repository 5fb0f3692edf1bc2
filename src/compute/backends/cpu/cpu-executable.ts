/** @file One compiled program on the cpu: its plan, arena and scratch, and running it. */
import { StarboxError } from "#base";
import { specBytes } from "../../dtype.ts";
import { checkProgram } from "../../graph/check.ts";
import { printNode } from "../../graph/print.ts";
import type { Node, Program } from "../../graph/program.ts";
import { planMemory } from "../../memory/plan-memory.ts";
import { ops } from "../../ops/index.ts";
import { type Executable, type MemoryNeed, type RunOptions, type TensorData, typedView } from "../backend.ts";
import { writeChecked } from "../write-checked.ts";
import type { CpuHost } from "./cpu-host.ts";
import { kernelOf } from "./kernels.ts";
import { NativeMemory } from "./memory.ts";
import { type Address, memoryAt } from "./native.ts";
import { nodesBytes, type PlanTensor, paddedOutputs, tensorsBytes } from "./plan-bytes.ts";
import type { SharedArena } from "./shared-arena.ts";

/** What executables of one device take turns in. */
export type SharedMemory = { readonly arena: SharedArena; readonly scratch: SharedArena };

/** Of the weights this program shares with others: what to do around a run, and how much their packed forms take. */
export type SharedWeights = { readonly packedBytes: number; readonly before: () => void; readonly after: () => void };

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const cancelled = -3;

export class CpuExecutable implements Executable {
  readonly program: Program;
  readonly memory: MemoryNeed;
  readonly #device: CpuHost;
  readonly #weights: SharedWeights;
  readonly #plan: Address;
  /** The nodes that run: views do not. */
  readonly #nodes: readonly Node[];
  readonly #owned: readonly [inputs: NativeMemory, control: NativeMemory, ...own: NativeMemory[]];
  readonly #arena: () => NativeMemory;
  readonly #scratch: () => NativeMemory;
  readonly #borrowed: readonly Disposable[];
  readonly #buffers: BigUint64Array;
  readonly #bufferBytes: BigInt64Array;
  readonly #inputOffsets = new Map<string, number>();
  readonly #outputs = new Map<string, { readonly buffer: NativeMemory | "arena"; readonly offset: number; readonly id: number }>();
  #running = 0;
  #disposed = false;

  constructor(
    device: CpuHost,
    program: Program,
    given: ReadonlyMap<number, NativeMemory>,
    weights: SharedWeights,
    shared: SharedMemory | null = null,
  ) {
    checkProgram(program);
    this.#device = device;
    this.#weights = weights;
    this.program = program;
    const { native } = device;
    const { places, arenaBytes } = planMemory(program);
    let inputBytes = 0;
    const inputOffset = new Map<number, number>();
    for (const { id, kind, name, spec } of program.values.values()) {
      if (kind !== "input") continue;
      inputOffset.set(id, inputBytes);
      this.#inputOffsets.set(name!, inputBytes);
      inputBytes += align(specBytes(spec));
    }
    // Buffers: the arena, the inputs, then every parameter.
    const parameters = [...given];
    const bufferOf = new Map(parameters.map(([id], i) => [id, i + 2]));
    const index = new Map<number, number>();
    const tensors: PlanTensor[] = [];
    for (const [id, { spec }] of program.values) {
      const place = places.get(id)!;
      const [buffer, offset] =
        place.at === "arena" ? [0, place.offset] : inputOffset.has(place.id) ? [1, inputOffset.get(place.id)!] : [bufferOf.get(place.id)!, 0];
      index.set(id, tensors.length);
      tensors.push({ spec, buffer, offset });
    }
    this.#nodes = program.nodes.filter((node) => !ops[node.op].view);
    const nodes = nodesBytes(
      this.#nodes.map((node) => ({
        kernel: native.kernelFind(kernelOf(program, node)),
        inputs: node.inputs.map((id) => (id === null ? -1 : index.get(id)!)),
        outputs: paddedOutputs(node).map((id) => (id === null ? -1 : index.get(id)!)),
        params: Object.values(node.params),
      })),
    );
    this.#plan = native.planCreate(
      tensorsBytes(tensors),
      tensors.length,
      nodes.bytes,
      this.#nodes.length,
      nodes.params,
      nodes.params.length,
      parameters.length + 2,
    );
    if (this.#plan === 0) throw new StarboxError("native_failed", native.lastError());
    const scratchBytes = Number(native.planScratch(this.#plan, device.threads));
    this.memory = { arenaBytes, scratchBytes, inputBytes, packedBytes: weights.packedBytes };
    const own = shared === null ? [new NativeMemory(native, "arena", arenaBytes), new NativeMemory(native, "scratch", scratchBytes)] : [];
    this.#owned = [new NativeMemory(native, "inputs", inputBytes), new NativeMemory(native, "control", 64), ...own];
    this.#arena = () => own[0] ?? shared!.arena.atLeast(arenaBytes);
    this.#scratch = () => own[1] ?? shared!.scratch.atLeast(scratchBytes);
    this.#borrowed = parameters.map(([, memory]) => memory.borrow());
    const rest = [this.#owned[0], ...parameters.map(([, memory]) => memory)];
    this.#buffers = BigUint64Array.from([0n, ...rest.map((memory) => BigInt(memory.address))]);
    this.#bufferBytes = BigInt64Array.from([0n, ...rest.map((memory) => BigInt(memory.bytes))]);
    for (const [name, id] of program.outputs) {
      const { buffer, offset } = tensors[index.get(id)!]!;
      this.#outputs.set(name, { buffer: buffer === 0 ? "arena" : rest[buffer - 1]!, offset, id });
    }
  }

  run(options: RunOptions = {}): Promise<Readonly<Record<string, TensorData>>> {
    this.#alive();
    this.#running++;
    return this.#device.inTurn(() => this.#run(options)).finally(() => this.#running--);
  }

  async #run({ inputs = {}, signal, timing, discard }: RunOptions): Promise<Readonly<Record<string, TensorData>>> {
    this.#alive();
    this.#weights.before();
    this.#writeInputs(inputs);
    const { native, pool } = this.#device;
    const [, control] = this.#owned;
    const [arena, scratch] = [this.#arena(), this.#scratch()];
    this.#buffers[0] = BigInt(arena.address);
    this.#bufferBytes[0] = BigInt(arena.bytes);
    // Memory both sides see: cancel flag, node under way.
    const flags = new Int32Array(memoryAt(control.address, 8));
    flags[0] = signal?.aborted ? 1 : 0;
    const cancel = (): void => {
      flags[0] = 1;
    };
    signal?.addEventListener("abort", cancel, { once: true });
    const seconds = timing === undefined ? null : new Float64Array(this.#nodes.length);
    const status = await native.planRun(this.#plan, pool, this.#buffers, this.#bufferBytes, scratch.address, scratch.bytes, control.address, seconds);
    signal?.removeEventListener("abort", cancel);
    this.#weights.after(); // of a run that was cancelled or failed, too: it may have written
    if (status === cancelled) throw new StarboxError("cancelled", "The run was cancelled.");
    if (status !== 0) {
      const node = this.#nodes[flags[1]!];
      throw new StarboxError("native_failed", `${native.planError(this.#plan)}${node === undefined ? "" : ` at ${printNode(this.program, node)}`}.`);
    }
    if (timing !== undefined) this.#nodes.forEach((node, i) => timing(node, seconds![i]!));
    if (discard) return {};
    return Object.fromEntries([...this.#outputs].map(([name, output]) => [name, this.#readOutput(output)]));
  }

  #writeInputs(inputs: Readonly<Record<string, TensorData>>): void {
    const area = this.#owned[0].view();
    for (const name of Object.keys(inputs)) {
      if (!this.#inputOffsets.has(name))
        throw new StarboxError("tensor_invalid", `There is no input "${name}"; there are ${[...this.#inputOffsets.keys()].join(", ")}.`);
    }
    for (const { kind, name, spec } of this.program.values.values()) {
      if (kind !== "input") continue;
      const data = inputs[name!];
      if (data === undefined) throw new StarboxError("tensor_invalid", `The input "${name}" is missing.`);
      writeChecked(name!, spec, data, area, this.#inputOffsets.get(name!)!);
    }
  }

  #readOutput({ buffer, offset, id }: { readonly buffer: NativeMemory | "arena"; readonly offset: number; readonly id: number }): TensorData {
    const { spec } = this.program.values.get(id)!;
    const bytes = specBytes(spec);
    return typedView(spec.dtype, (buffer === "arena" ? this.#arena() : buffer).view(offset, Math.max(bytes, 1)).slice(0, bytes), 0, bytes);
  }

  #alive(): void {
    if (this.#disposed) throw new StarboxError("disposed", "This executable was used after dispose().");
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    if (this.#running > 0) throw new StarboxError("disposed", "This executable is running: await it before dispose().");
    this.#disposed = true;
    this.#device.native.planFree(this.#plan);
    for (const borrowed of this.#borrowed) borrowed[Symbol.dispose]();
    for (const memory of this.#owned) memory[Symbol.dispose]();
  }
}
