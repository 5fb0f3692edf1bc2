/**
 * @file Writes the conformance samples and fuzzed shapes as recorded plans: what native/replay runs without Node, for sanitizers,
 * emulators and other machines. Expected values are the float64 reference's, limits those of src/compute/verify. Needs no native library.
 *
 *   node scripts/launch.mjs script scripts/record-plans.ts FILE [fuzzed shapes an operator, default 8]
 */
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { TensorData } from "../src/compute/backends/backend.ts";
import { cpuKernels, kernelOf } from "../src/compute/backends/cpu/kernels.ts";
import { packWeights } from "../src/compute/backends/cpu/pack-weights.ts";
import { nodesBytes, paddedOutputs, tensorsBytes } from "../src/compute/backends/cpu/plan-bytes.ts";
import { ReferenceDevice } from "../src/compute/backends/reference/reference-device.ts";
import { dtypes, specBytes } from "../src/compute/dtype.ts";
import { fuseEpilogue } from "../src/compute/graph/passes/fuse-epilogue.ts";
import { mergeCommon } from "../src/compute/graph/passes/merge-common.ts";
import { removeDead } from "../src/compute/graph/passes/remove-dead.ts";
import { type Program, runPasses } from "../src/compute/graph/program.ts";
import { storageRoots } from "../src/compute/graph/storage.ts";
import { planMemory } from "../src/compute/memory/plan-memory.ts";
import type { Sample } from "../src/compute/op.ts";
import { type OpName, opNames, ops } from "../src/compute/ops/index.ts";
import { allowedError, type Precision } from "../src/compute/verify/compare.ts";
import { precisionOf } from "../src/compute/verify/precision.ts";
import { runSample } from "../src/compute/verify/run-sample.ts";
import { forwardProgram, gradientProgram, noGradientReason, type SampleProgram } from "../src/compute/verify/sample-program.ts";
import { fuzzedSamples } from "../test/conformance/ops/fuzz.ts";
import { RecordWriter } from "./record-writer.ts";

const reference = new ReferenceDevice();
const formIds = { y: 0, dx: 1 } as const;
type Layout = "apart" | "arena";
type Case = {
  readonly name: string;
  readonly sample: SampleProgram;
  readonly program: Program;
  readonly expected: Readonly<Record<string, TensorData>>;
  readonly precision: Precision;
  readonly slack: number;
  readonly layout: Layout;
};

/** Where every value lies: results apart, each in memory of its own size, or in one arena as on the device. */
function placeValues(program: Program, layout: Layout) {
  const buffers: { bytes: number; root: number | null }[] = [];
  const places = new Map<number, { readonly buffer: number; readonly offset: number }>();
  const own = new Map<number, number>();
  const arena = planMemory(program);
  const roots = storageRoots(program);
  if (layout === "arena") buffers.push({ bytes: arena.arenaBytes, root: null });
  for (const [id, { spec }] of program.values) {
    const place = layout === "arena" ? arena.places.get(id)! : { at: "given" as const, id: roots.get(id)! };
    if (place.at === "arena") {
      places.set(id, { buffer: 0, offset: place.offset });
      continue;
    }
    const known = own.get(place.id) ?? buffers.push({ bytes: 0, root: place.id }) - 1;
    own.set(place.id, known);
    const bytes = spec.packed === undefined ? specBytes(spec) : 0;
    buffers[known]!.bytes = Math.max(buffers[known]!.bytes, bytes);
    places.set(id, { buffer: known, offset: 0 });
  }
  return { buffers, places, own };
}

function writeCase(out: RecordWriter, { name, sample, program, expected, precision, slack, layout }: Case): void {
  const ids = [...program.values.keys()];
  const index = new Map(ids.map((id, i) => [id, i]));
  const { buffers, places, own } = placeValues(program, layout);
  out.text(name);
  const tensors = ids.map((id) => ({ spec: program.values.get(id)!.spec, ...places.get(id)! }));
  out.u32(tensors.length).raw(tensorsBytes(tensors));
  const running = program.nodes.filter((node) => !ops[node.op].view);
  const kernels = [...new Set(running.map((node) => kernelOf(program, node)))];
  out.u32(kernels.length);
  for (const kernel of kernels) out.text(kernel);
  const at = (id: number | null): number => (id === null ? -1 : index.get(id)!);
  const { bytes, params } = nodesBytes(
    running.map((node) => ({
      kernel: kernels.indexOf(kernelOf(program, node)),
      inputs: node.inputs.map(at),
      outputs: paddedOutputs(node).map(at),
      params: Object.values(node.params),
    })),
  );
  out.u32(running.length).raw(bytes);
  out.u32(params.length).raw(new Uint8Array(params.buffer));
  out.u32(buffers.length);
  for (const { bytes: size, root } of buffers) {
    const info = root === null ? undefined : program.values.get(root);
    const packed = info?.spec.packed;
    const source = packed === undefined ? undefined : info!.name!.slice(0, info!.name!.lastIndexOf("#"));
    const from = source === undefined ? -1 : own.get([...program.values.values()].find((value) => value.name === source)!.id)!;
    const data = info?.name === undefined || packed !== undefined ? undefined : sample.data[info.name];
    out
      .i64(size)
      .i32(from)
      .i32(packed === undefined ? 0 : formIds[packed.form]);
    out.sized(data === undefined || info?.kind === "result" ? new Uint8Array() : new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const names = Object.keys(expected).filter((output) => output !== "loss");
  out.u32(names.length);
  for (const output of names) {
    const id = program.outputs.get(output)!;
    const { spec } = program.values.get(id)!;
    const data = expected[output]!;
    const { how, relative, absolute } = allowedError(spec, data, precision, slack);
    out.i32(index.get(id)!).i32({ numbers: 0, norm: 1, bytes: 2 }[how]).f64(relative).f64(absolute);
    out.sized(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
}

const optimise = (program: Program, int8: boolean): Program =>
  packWeights(
    runPasses(program, [
      ["remove dead", removeDead],
      ["merge common", mergeCommon],
      ["fuse epilogue", fuseEpilogue],
    ]),
    (form, type) => (dtypes[type].kind === "float" || form === "y" ? 1 : 0),
    int8,
  ).program;

/** Every way a sample may run: as it is and apart, in an arena with packed weights, with int8 activations; and its gradients. */
async function* casesOf(op: OpName, sample: Sample): AsyncGenerator<Case> {
  const forward = forwardProgram(op, sample);
  const expected = await runSample(reference, forward);
  const precision = precisionOf(reference, op, sample, forward);
  const shared = { sample: forward, expected, slack: 1 };
  const plain = runPasses(forward.program, [["remove dead", removeDead]]);
  yield { ...shared, name: `${op}, ${sample.label}`, program: plain, precision, layout: "apart" };
  const weight = sample.inputs[ops[op].inputs.findIndex((rule) => rule.dtypes.includes("packed"))];
  if (weight != null)
    yield { ...shared, name: `${op}, ${sample.label}, packed`, program: optimise(forward.program, false), precision, layout: "arena" };
  if (weight != null && dtypes[weight.dtype].kind === "quantized")
    yield { ...shared, name: `${op}, ${sample.label}, int8`, program: optimise(forward.program, true), precision: "int8", layout: "apart" };
  if (noGradientReason(op, sample) !== null) return;
  const backward = gradientProgram(op, sample);
  const own = precisionOf(reference, op, sample, backward);
  const gradients = await runSample(reference, backward);
  for (const layout of ["apart", "arena"] as const)
    yield {
      name: `${op}, ${sample.label}, gradient, ${layout}`,
      sample: backward,
      program: optimise(backward.program, false),
      expected: gradients,
      precision: own === "exact" ? "f32" : own,
      slack: 4,
      layout,
    };
}

/** Writes the file; answers the cases' names: "operator, sample, …". */
export async function recordPlans(file: string, fuzzed: number): Promise<readonly string[]> {
  const out = new RecordWriter();
  const names: string[] = [];
  for (const op of opNames) {
    if (typeof cpuKernels[op] !== "string") continue;
    for (const sample of [...ops[op].samples, ...fuzzedSamples(op, fuzzed)])
      for await (const recorded of casesOf(op, sample)) {
        if (recorded.program.nodes.every((node) => ops[node.op].view)) continue;
        writeCase(out, recorded);
        names.push(recorded.name);
      }
  }
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, Buffer.concat([Buffer.from("SBPLANS1"), new RecordWriter().u32(names.length).bytes(), out.bytes()]));
  return names;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const file = process.argv[2];
  if (file === undefined) throw new Error("a file to write is expected");
  console.log(`${(await recordPlans(file, Number(process.argv[3] ?? 8))).length} plans in ${file}`);
}
