/** @file ggml's C functions, from the libraries that node-llama-cpp ships. The only file that names them. Pointers are numbers. */
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import koffi from "koffi";
import { StarboxError } from "#base";

export type Pointer = number;
export type Ggml = ReturnType<typeof bind>;

/** Mode of ggml's rope whose pairs are half a head apart. */
export const ropeNeox = 2;
const graphSlots = 65_536;

/** Folders of prebuilt libraries on this machine: processor first, then graphics (their packages hold a stand-in where there is no such chip). */
export function ggmlFolders(): string[] {
  const require = createRequire(import.meta.url);
  const os = { linux: "linux", darwin: "mac", win32: "win" }[process.platform as string] ?? process.platform;
  const arch = os === "mac" && process.arch === "arm64" ? "arm64-metal" : process.arch;
  const roots = require.resolve.paths("@node-llama-cpp/any") ?? [];
  return ["", "-cuda", "-cuda-ext", "-vulkan"].flatMap((suffix) => {
    const found = roots.map((root) => path.join(root, "@node-llama-cpp", `${os}-${arch}${suffix}`, "bins")).find((bins) => fs.existsSync(bins));
    return found === undefined ? [] : fs.readdirSync(found).map((name) => path.join(found, name));
  });
}

function library(folder: string, pattern: RegExp): string {
  const name = fs.readdirSync(folder).find((file) => pattern.test(file));
  if (name === undefined) throw new StarboxError("device_unsupported", `ggml: no ${pattern.source} in ${folder}.`);
  return path.join(folder, name);
}

const loaded = new Map<string, Ggml>();
/** Names of types are the process's: made once, however many devices are opened. */
let threadsType: ReturnType<typeof koffi.proto> | undefined;

/** Loads the libraries of a folder and registers its devices (the best processor build for this machine). */
export function loadGgml(folder: string): Ggml {
  const known = loaded.get(folder);
  if (known !== undefined) return known;
  const base = koffi.load(library(folder, /^(lib)?ggml-base\.(so|dylib|dll)$/));
  const registry = koffi.load(library(folder, /^(lib)?ggml(\.v[\d.]+)?\.(so|dylib|dll)$/));
  const ggml = bind(base, registry);
  quietly(base, () => ggml.loadAll(folder));
  loaded.set(folder, ggml);
  return ggml;
}

type Lib = ReturnType<typeof koffi.load>;

/** ggml announces every library it loads on stderr. Only while loading is it kept from that: its errors later are wanted. */
function quietly(base: Lib, work: () => void): void {
  const setLog = base.func("void ggml_log_set(void *callback, void *data)");
  const silent = koffi.register(() => {}, koffi.pointer(koffi.proto("void starbox_ggml_log(int level, const char *text, void *data)")));
  setLog(silent, null);
  try {
    work();
  } finally {
    setLog(null, null);
    koffi.unregister(silent);
  }
}

function bind(base: Lib, registry: Lib) {
  const P = "uintptr_t";
  const fn = (lib: Lib, name: string, args: readonly string[], result = P): ((...args: (number | bigint | boolean | object | null)[]) => number) =>
    lib.func(`${result} ${name}(${args.map((type, i) => `${type} a${i}`).join(", ")})`) as unknown as (
      ...args: (number | bigint | boolean | object | null)[]
    ) => number;
  const op = (name: string, ...args: readonly string[]) => fn(base, `ggml_${name}`, [P, ...args]);
  koffi.struct(`ggml_init_params`, { mem_size: "size_t", mem_buffer: P, no_alloc: "bool" });
  const ropeArguments = [P, P, P, "int", "int", "int", "float", "float", "float", "float", "float", "float"];
  const init = base.func(`${P} ggml_init(ggml_init_params params)`) as (params: object) => Pointer;
  const compute = base.func(`int ggml_backend_graph_compute(${P} backend, ${P} graph)`);
  return {
    // memory and graphs
    init: (bytes: number): Pointer => init({ mem_size: bytes, mem_buffer: 0, no_alloc: true }),
    free: fn(base, "ggml_free", [P], "void"),
    tensorOverhead: base.func("size_t ggml_tensor_overhead()") as () => number,
    graphOverhead: (): number => fn(base, "ggml_graph_overhead_custom", ["size_t", "bool"], "size_t")(graphSlots, false),
    newTensor: base.func(`${P} ggml_new_tensor(${P} ctx, int type, int dims, void *ne)`) as (
      ctx: Pointer,
      type: number,
      dims: number,
      ne: BigInt64Array,
    ) => Pointer,
    newGraph: (ctx: Pointer): Pointer => fn(base, "ggml_new_graph_custom", [P, "size_t", "bool"])(ctx, graphSlots, false),
    expand: fn(base, "ggml_build_forward_expand", [P, P], "void"),
    nodeCount: fn(base, "ggml_graph_n_nodes", [P], "int"),
    nodeAt: fn(base, "ggml_graph_node", [P, "int"]),
    describe: base.func(`const char *ggml_op_desc(${P} tensor)`) as (tensor: Pointer) => string,
    isContiguous: fn(base, "ggml_is_contiguous", [P], "bool"),
    setInput: fn(base, "ggml_set_input", [P], "void"),
    setOutput: fn(base, "ggml_set_output", [P], "void"),
    setParam: fn(base, "ggml_set_param", [P], "void"),
    setPrecision: fn(base, "ggml_mul_mat_set_prec", [P, "int"], "void"),
    // devices
    loadAll: registry.func("void ggml_backend_load_all_from_path(const char *path)") as (path: string) => void,
    deviceCount: registry.func("size_t ggml_backend_dev_count()") as () => number,
    deviceAt: fn(registry, "ggml_backend_dev_get", ["size_t"]),
    deviceName: base.func(`const char *ggml_backend_dev_name(${P} device)`) as (device: Pointer) => string,
    deviceDescription: base.func(`const char *ggml_backend_dev_description(${P} device)`) as (device: Pointer) => string,
    deviceType: fn(base, "ggml_backend_dev_type", [P], "int"),
    deviceSupports: fn(base, "ggml_backend_dev_supports_op", [P, P], "bool"),
    deviceInit: base.func(`${P} ggml_backend_dev_init(${P} device, const char *params)`) as (device: Pointer, params: string | null) => Pointer,
    deviceRegistry: fn(base, "ggml_backend_dev_backend_reg", [P]),
    procAddress: base.func(`${P} ggml_backend_reg_get_proc_address(${P} reg, const char *name)`) as (reg: Pointer, name: string) => Pointer,
    backendFree: fn(base, "ggml_backend_free", [P], "void"),
    defaultBuffer: fn(base, "ggml_backend_get_default_buffer_type", [P]),
    allocTensors: fn(base, "ggml_backend_alloc_ctx_tensors", [P, P]),
    bufferFree: fn(base, "ggml_backend_buffer_free", [P], "void"),
    allocatorNew: fn(base, "ggml_gallocr_new", [P]),
    allocatorFree: fn(base, "ggml_gallocr_free", [P], "void"),
    allocateGraph: fn(base, "ggml_gallocr_alloc_graph", [P, P], "bool"),
    allocatorBytes: fn(base, "ggml_gallocr_get_buffer_size", [P, "int"], "size_t"),
    set: base.func(`void ggml_backend_tensor_set(${P} tensor, const void *data, size_t offset, size_t size)`) as (
      t: Pointer,
      data: Uint8Array,
      offset: number,
      size: number,
    ) => void,
    get: base.func(`void ggml_backend_tensor_get(${P} tensor, void *data, size_t offset, size_t size)`) as (
      t: Pointer,
      data: Uint8Array,
      offset: number,
      size: number,
    ) => void,
    compute: (backend: Pointer, graph: Pointer): Promise<number> =>
      new Promise((resolve, reject) => {
        compute.async(backend, graph, (error: unknown, status: number) => (error ? reject(error as Error) : resolve(status)));
      }),
    computeNow: compute as unknown as (backend: Pointer, graph: Pointer) => number,
    setThreads: (backend: Pointer, threads: number, procAddress: Pointer): void => {
      if (procAddress === 0) return;
      threadsType ??= koffi.proto(`void starbox_ggml_set_threads(${P} backend, int threads)`);
      koffi.call(procAddress, threadsType, backend, threads);
    },
    // operators
    add: op("add", P, P),
    sub: op("sub", P, P),
    mul: op("mul", P, P),
    div: op("div", P, P),
    neg: op("neg", P),
    exp: op("exp", P),
    log: op("log", P),
    sqr: op("sqr", P),
    sqrt: op("sqrt", P),
    tanh: op("tanh", P),
    sigmoid: op("sigmoid", P),
    relu: op("relu", P),
    silu: op("silu", P),
    siluBack: op("silu_back", P, P),
    geluErf: op("gelu_erf", P),
    step: op("step", P),
    swigluSplit: op("swiglu_split", P, P),
    scaleBias: op("scale_bias", P, "float", "float"),
    fill: op("fill", P, "float"),
    cont: op("cont", P),
    cast: op("cast", P, "int"),
    repeat: op("repeat", P, P),
    concat: op("concat", P, P, "int"),
    padExt: op("pad_ext", P, ...Array.from({ length: 8 }, () => "int")),
    reshape: op("reshape_4d", P, "int64_t", "int64_t", "int64_t", "int64_t"),
    view2d: op("view_2d", P, "int64_t", "int64_t", "size_t", "size_t"),
    permute: op("permute", P, "int", "int", "int", "int"),
    transpose: op("transpose", P),
    sum: op("sum", P),
    sumRows: op("sum_rows", P),
    mulMat: op("mul_mat", P, P),
    getRows: op("get_rows", P, P),
    getRowsBack: op("get_rows_back", P, P, P),
    softMax: op("soft_max", P),
    softMaxExt: op("soft_max_ext", P, P, "float", "float"),
    softMaxExtBack: op("soft_max_ext_back", P, P, "float", "float"),
    ropeExt: op("rope_ext", ...ropeArguments),
    ropeExtBack: op("rope_ext_back", ...ropeArguments),
    rmsNorm: op("rms_norm", P, "float"),
    norm: op("norm", P, "float"),
    argmax: op("argmax", P),
    adamw: op("opt_step_adamw", P, P, P, P, P),
  } as const;
}
