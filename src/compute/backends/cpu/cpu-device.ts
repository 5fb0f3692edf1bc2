/** @file Our own kernels on this machine's processor. Compiles a program into one native plan; a run is one native call. */
import path from "node:path";
import { StarboxError } from "#base";
import { type DType, dtypes, specBytes, type TensorSpec } from "../../dtype.ts";
import { fuseEpilogue } from "../../graph/passes/fuse-epilogue.ts";
import { mergeCommon } from "../../graph/passes/merge-common.ts";
import { removeDead } from "../../graph/passes/remove-dead.ts";
import { printNode } from "../../graph/print.ts";
import { type Node, type Program, runPasses } from "../../graph/program.ts";
import { planMemory } from "../../memory/plan-memory.ts";
import { ops } from "../../ops/index.ts";
import type { CompileOptions, Device, DeviceTensor, Executable, MemoryNeed, TensorData } from "../backend.ts";
import { CpuExecutable, type SharedMemory } from "./cpu-executable.ts";
import { cpuKernels, kernelOf } from "./kernels.ts";
import { CpuTensor, NativeMemory } from "./memory.ts";
import { type Address, loadNative, type Native } from "./native.ts";
import { contentHash, PackCache, type PackCacheOptions } from "./pack-cache.ts";
import { changedParameters, type PackedUse, packWeights } from "./pack-weights.ts";
import { paddedOutputs, tensorsBytes } from "./plan-bytes.ts";
import { SharedArena } from "./shared-arena.ts";

export type CpuOptions = {
  /** The compiled library: see `ensureNative`. */
  readonly library: string;
  readonly threads: number;
  /** A lower instruction-set tier than the machine's best, for tests: "base", "avx2", … It holds for the whole process. */
  readonly isa?: string;
  /** Microseconds an idle thread spins before it sleeps. */
  readonly spinUs?: number;
  readonly pin?: boolean;
  /** Keeps rearranged quantised weights on disk: see pack-cache.ts. Float weights are rearranged about as fast as they are read and hashed. */
  readonly packCache?: PackCacheOptions;
};

/** A rearranged copy; `renew` makes it again when its weight has changed since. */
type Packed = { readonly memory: NativeMemory; readonly renew: () => void };

const formIds = { y: 0, dx: 1 } as const;
const tierIds = [0, 1, 2, 3, 16, 17];

export class CpuDevice implements Device {
  readonly name = "cpu";
  readonly kernels = cpuKernels;
  readonly native: Native;
  readonly pool: Address;
  readonly threads: number;
  readonly packCache: PackCache | null;
  readonly #build: string;
  readonly #packed = new WeakMap<CpuTensor, Map<string, Packed>>();
  readonly #shared: SharedMemory;
  /** Answers of whyNot: the layers of a model ask the same again. */
  readonly #checked = new Map<string, string | null>();
  #turn: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(options: CpuOptions) {
    this.native = loadNative(options.library);
    this.threads = options.threads;
    this.packCache = options.packCache === undefined ? null : new PackCache(options.packCache);
    this.#build = path.basename(path.dirname(options.library));
    this.#chooseTier(options.isa);
    this.pool = this.native.poolCreate(options.threads, options.spinUs ?? 50, options.pin ? 1 : 0);
    this.#shared = { arena: new SharedArena(this.native, "arena"), scratch: new SharedArena(this.native, "scratch") };
    if (this.pool === 0) throw new StarboxError("native_failed", this.native.lastError());
  }

  get description(): string {
    return `own kernels, ${this.isa}, ${this.threads} thread${this.threads === 1 ? "" : "s"}`;
  }

  get isa(): string {
    return this.native.isaName(this.native.isaGet());
  }

  whyNot(program: Program, node: Node): string | null {
    const entry = cpuKernels[node.op];
    if (typeof entry !== "string") return entry.unsupported;
    if (ops[node.op].view) return null;
    const kernel = kernelOf(program, node);
    const id = this.native.kernelFind(kernel);
    if (id < 0) return `this build has no kernel "${kernel}"`;
    const outputs = paddedOutputs(node);
    const specs = [...node.inputs, ...outputs].map((value) => (value === null ? null : program.values.get(value)!.spec));
    const question = JSON.stringify([id, specs, node.params]);
    const known = this.#checked.get(question);
    if (known !== undefined) return known;
    const answer = this.#ask(id, node, specs, outputs.length);
    this.#checked.set(question, answer);
    return answer;
  }

  #ask(id: number, node: Node, specs: readonly (TensorSpec | null)[], outputs: number): string | null {
    using memory = new NativeMemory(this.native, "operands", specs.length * 64);
    const bytes = tensorsBytes(specs.map((spec) => ({ spec: spec ?? { dtype: "f32", shape: [] }, buffer: 0, offset: 0 })));
    new Uint8Array(memory.view()).set(bytes);
    const addresses = BigUint64Array.from(specs, (spec, i) => (spec === null ? 0n : BigInt(memory.address + i * 64)));
    const params = Float64Array.from([...Object.values(node.params), 0]);
    return this.native.kernelCheck(id, addresses, node.inputs.length, outputs, params, params.length - 1);
  }

  tensor(name: string, spec: TensorSpec, data?: TensorData): DeviceTensor {
    return new CpuTensor(this.native, name, spec, data);
  }

  compile(program: Program, options: CompileOptions = {}): Executable {
    const { final, packed } = this.#lower(program, options);
    for (const node of final.nodes) {
      const why = this.whyNot(final, node);
      if (why !== null) throw new StarboxError("device_unsupported", `${this.name}: ${printNode(final, node)}: ${why}.`);
    }
    const given = new Map<number, NativeMemory>();
    const written: CpuTensor[] = [];
    const changed = changedParameters(final);
    for (const info of final.values.values()) {
      if (info.kind !== "parameter" || info.spec.packed !== undefined) continue;
      const tensor = this.#parameter(info.name!, info.spec, options.parameters?.[info.name!]);
      given.set(info.id, tensor.memory);
      if (changed.has(info.id)) written.push(tensor);
    }
    const renewals: (() => void)[] = [];
    for (const use of packed) {
      const { memory, renew } = this.#pack(this.#parameter(use.from.name!, use.from.spec, options.parameters?.[use.from.name!]), use.spec);
      given.set(use.id, memory);
      renewals.push(renew);
    }
    const weights = {
      packedBytes: packed.reduce((sum, { spec }) => sum + specBytes(spec), 0),
      before: () => {
        for (const renew of renewals) renew();
      },
      after: () => {
        for (const tensor of written) tensor.changed();
      },
    };
    return new CpuExecutable(this, final, given, weights, options.sharedArena ? this.#shared : null);
  }

  /** Bytes a compiled program would need, without its scratch; nothing is allocated. */
  memoryOf(program: Program, options: CompileOptions = {}): Omit<MemoryNeed, "scratchBytes"> {
    const { final, packed } = this.#lower(program, options);
    const inputs = [...final.values.values()].filter(({ kind }) => kind === "input");
    return {
      arenaBytes: planMemory(final).arenaBytes,
      inputBytes: inputs.reduce((sum, { spec }) => sum + specBytes(spec), 0),
      packedBytes: packed.reduce((sum, { spec }) => sum + specBytes(spec), 0),
    };
  }

  #lower(program: Program, options: CompileOptions): { readonly final: Program; readonly packed: readonly PackedUse[] } {
    const passes =
      options.optimize === false
        ? [["remove dead", removeDead] as const]
        : ([
            ["remove dead", removeDead],
            ["merge common", mergeCommon],
            ["fuse epilogue", fuseEpilogue],
          ] as const);
    const lowered = runPasses(program, passes, options.watch);
    const { program: final, packed } =
      options.optimize === false
        ? { program: lowered, packed: [] }
        : packWeights(lowered, (form, type, n, k) => this.#packedBytes(form, type, n, k), options.int8 ?? false);
    options.watch?.("pack weights", final);
    return { final, packed };
  }

  /** One run at a time: the pool is one. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(work, work);
    this.#turn = next.catch(() => {});
    return next;
  }

  /** A limit of this machine measured now: operations or bytes a second. */
  probe(what: "f32" | "bf16" | "int8" | "read" | "write" | "copy", seconds: number): number {
    return this.native.probe(this.pool, ["f32", "bf16", "int8", "read", "write", "copy"].indexOf(what), seconds);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const memory of Object.values(this.#shared)) memory[Symbol.dispose]();
    this.native.poolFree(this.pool);
  }

  #chooseTier(wanted: string | undefined): void {
    const id = wanted === undefined ? this.native.isaBest() : tierIds.find((tier) => this.native.isaName(tier) === wanted);
    if (id === undefined || this.native.isaSet(id) !== 0) {
      throw new StarboxError(
        "device_unsupported",
        `This machine has no instruction-set tier "${wanted}"; its best is ${this.native.isaName(this.native.isaBest())}.`,
      );
    }
  }

  #parameter(name: string, spec: TensorSpec, tensor: DeviceTensor | undefined): CpuTensor {
    if (!(tensor instanceof CpuTensor))
      throw new StarboxError("tensor_invalid", `The parameter "${name}" was not given, or lives on another device.`);
    if (tensor.spec.dtype !== spec.dtype || tensor.spec.shape.join() !== spec.shape.join()) {
      throw new StarboxError(
        "tensor_invalid",
        `The parameter "${name}": expected ${spec.dtype}[${spec.shape}], got ${tensor.spec.dtype}[${tensor.spec.shape}].`,
      );
    }
    return tensor;
  }

  #packedBytes(form: "y" | "dx", type: DType, n: number, k: number): number {
    return this.native.packedBytes(formIds[form], dtypes[type].id, n, k);
  }

  /** Made once a weight and form, kept as long as the weight, made again when the weight was changed by anybody. */
  #pack(weight: CpuTensor, spec: TensorSpec): Packed {
    const forms = this.#packed.get(weight) ?? new Map<string, Packed>();
    this.#packed.set(weight, forms);
    const { form, from, bytes } = spec.packed!;
    const key = `${form} ${this.isa}`;
    const known = forms.get(key);
    if (known !== undefined) {
      known.renew();
      return known;
    }
    const memory = new NativeMemory(this.native, `${weight.name}#${form}`, bytes);
    const [n = 0, k = 0] = spec.shape;
    let made = -1;
    const renew = (): void => {
      if (made === weight.version) return;
      const cache = dtypes[from].kind === "quantized" ? this.packCache : null;
      const content = cache === null ? "" : contentHash(new Uint8Array(weight.memory.view()));
      const cacheKey = {
        build: this.#build,
        isa: this.isa,
        layout: this.native.packedLayout(formIds[form], dtypes[from].id),
        form,
        from,
        n,
        k,
        content,
      };
      const target = new Uint8Array(memory.view());
      if (cache === null || !cache.read(cacheKey, target)) {
        const status = this.native.pack(this.pool, formIds[form], dtypes[from].id, n, k, weight.memory.address, memory.address);
        if (status !== 0) throw new StarboxError("native_failed", `Packing "${weight.name}" failed: ${this.native.lastError()}`);
        cache?.write(cacheKey, target);
      }
      made = weight.version;
    };
    renew();
    weight.onDispose(() => memory[Symbol.dispose]());
    forms.set(key, { memory, renew });
    return { memory, renew };
  }
}
