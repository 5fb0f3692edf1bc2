/** @file The native library's functions as TypeScript sees them. The only file that names C symbols; shapes of structs are in plan-bytes.ts. */
import koffi, { type LibraryHandle } from "koffi";
import { StarboxError } from "#base";

/** Addresses are plain numbers (user space stays below 2^53). */
export type Address = number;

const abi = 2;

export type Native = ReturnType<typeof bind>;

function bind(lib: LibraryHandle) {
  const run = lib.func(
    "int32_t sb_plan_run(uintptr_t plan, uintptr_t pool, void *buffers, void *buffer_bytes, uintptr_t scratch, int64_t scratch_bytes, uintptr_t control, void *seconds)",
  );
  return {
    abi: lib.func("int32_t sb_abi()") as () => number,
    isaBest: lib.func("int32_t sb_isa_best()") as () => number,
    isaGet: lib.func("int32_t sb_isa_get()") as () => number,
    isaSet: lib.func("int32_t sb_isa_set(int32_t isa)") as (isa: number) => number,
    isaName: lib.func("const char *sb_isa_name(int32_t isa)") as (isa: number) => string,
    lastError: lib.func("const char *sb_last_error()") as () => string,
    alloc: lib.func("uintptr_t sb_alloc(size_t bytes)") as (bytes: number) => Address,
    free: lib.func("void sb_free(uintptr_t memory)") as (memory: Address) => void,
    poolCreate: lib.func("uintptr_t sb_pool_create(int32_t threads, int32_t spin_us, int32_t pin)") as (
      threads: number,
      spinUs: number,
      pin: number,
    ) => Address,
    poolFree: lib.func("void sb_pool_free(uintptr_t pool)") as (pool: Address) => void,
    kernelFind: lib.func("int32_t sb_kernel_find(const char *name)") as (name: string) => number,
    kernelCheck: lib.func(
      "const char *sb_kernel_check(int32_t kernel, void *operands, int32_t inputs, int32_t outputs, void *params, int32_t n_params)",
    ) as (kernel: number, operands: BigUint64Array, inputs: number, outputs: number, params: Float64Array, count: number) => string | null,
    kernelOverwrites: lib.func("int32_t sb_kernel_overwrites(int32_t kernel, int32_t output, int32_t input)") as (
      kernel: number,
      output: number,
      input: number,
    ) => number,
    planCreate: lib.func(
      "uintptr_t sb_plan_create(void *tensors, int64_t n_tensors, void *nodes, int64_t n_nodes, void *params, int64_t n_params, int32_t n_buffers)",
    ) as (
      tensors: Uint8Array,
      tensorCount: number,
      nodes: Uint8Array,
      nodeCount: number,
      params: Float64Array,
      paramCount: number,
      buffers: number,
    ) => Address,
    planFree: lib.func("void sb_plan_free(uintptr_t plan)") as (plan: Address) => void,
    planScratch: lib.func("int64_t sb_plan_scratch(uintptr_t plan, int32_t threads)") as (plan: Address, threads: number) => number,
    planError: lib.func("const char *sb_plan_error(uintptr_t plan)") as (plan: Address) => string,
    /** On a thread of its own: resolves with the status. */
    planRun: (
      plan: Address,
      pool: Address,
      buffers: BigUint64Array,
      bufferBytes: BigInt64Array,
      scratch: Address,
      scratchBytes: number,
      control: Address,
      seconds: Float64Array | null,
    ): Promise<number> =>
      new Promise((resolve, reject) => {
        run.async(plan, pool, buffers, bufferBytes, scratch, scratchBytes, control, seconds, (error: unknown, status: number) =>
          error ? reject(error as Error) : resolve(status),
        );
      }),
    packedBytes: lib.func("int64_t sb_packed_bytes(int32_t form, int32_t type, int64_t n, int64_t k)") as (
      form: number,
      type: number,
      n: number,
      k: number,
    ) => number,
    pack: lib.func("int32_t sb_pack(uintptr_t pool, int32_t form, int32_t type, int64_t n, int64_t k, uintptr_t weight, uintptr_t packed)") as (
      pool: Address,
      form: number,
      type: number,
      n: number,
      k: number,
      weight: Address,
      packed: Address,
    ) => number,
    packedLayout: lib.func("int32_t sb_packed_layout(int32_t form, int32_t type)") as (form: number, type: number) => number,
    probe: lib.func("double sb_probe(uintptr_t pool, int32_t what, double seconds)") as (pool: Address, what: number, seconds: number) => number,
  };
}

const loaded = new Map<string, Native>();

/** Throws native_failed when the file is no library of this version. */
export function loadNative(file: string): Native {
  const known = loaded.get(file);
  if (known !== undefined) return known;
  try {
    const native = bind(koffi.load(file));
    if (native.abi() !== abi) throw new Error(`its interface has version ${native.abi()}, expected ${abi}`);
    loaded.set(file, native);
    return native;
  } catch (error) {
    throw new StarboxError("native_failed", `The native kernels in ${file} cannot be used: ${(error as Error).message}.`, {
      hint: "Delete native/build and start again: they are compiled anew.",
      zh: { message: `无法使用 ${file} 中的原生算子库：${(error as Error).message}。`, hint: "删除 native/build 后重新启动，会自动重新编译。" },
      cause: error,
    });
  }
}

/** The memory itself. Valid until freed: only owners in this folder may hold it. */
export const memoryAt = (address: Address, bytes: number): ArrayBuffer => koffi.view(address, bytes) as ArrayBuffer;
