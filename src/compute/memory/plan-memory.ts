/** @file Where every value lies: liveness of each piece of memory, then offsets in one arena. Known before anything runs. */
import { sameShape, specBytes } from "../dtype.ts";
import { countUses, type Program } from "../graph/program.ts";
import { storageRoots } from "../graph/storage.ts";
import { ops } from "../ops/index.ts";

export type Placement = {
  /** Value -> the parameter or input whose memory it is, or an offset in the arena. */
  readonly places: ReadonlyMap<number, { readonly at: "given"; readonly id: number } | { readonly at: "arena"; readonly offset: number }>;
  readonly arenaBytes: number;
};

const align = (bytes: number): number => Math.ceil(Math.max(bytes, 1) / 64) * 64;

type Block = { readonly root: number; readonly bytes: number; readonly first: number; last: number };

/** Offsets by size, largest first, each at the lowest gap free during its life (Pisarchyk & Lee, "Efficient memory management for deep neural net inference", 2020). */
function assignOffsets(blocks: readonly Block[]): { offsets: Map<number, number>; bytes: number } {
  const placed: (Block & { readonly offset: number })[] = [];
  const offsets = new Map<number, number>();
  let bytes = 0;
  for (const block of blocks.toSorted((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    const rivals = placed.filter((other) => other.first <= block.last && block.first <= other.last).toSorted((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const rival of rivals) {
      if (rival.offset - offset >= block.bytes) break;
      offset = Math.max(offset, rival.offset + rival.bytes);
    }
    placed.push({ ...block, offset });
    offsets.set(block.root, offset);
    bytes = Math.max(bytes, offset + block.bytes);
  }
  return { offsets, bytes };
}

/** Elementwise results take over the memory of an operand that dies there. Mutates `roots`. */
function overwriteDying(program: Program, roots: Map<number, number>): void {
  const uses = countUses(program);
  const left = new Map<number, number>();
  for (const [id, count] of uses) left.set(roots.get(id)!, (left.get(roots.get(id)!) ?? 0) + count);
  const kept = new Set([...program.outputs.values()].map((id) => roots.get(id)!));
  for (const node of program.nodes) {
    const { mayOverwrite = [] } = ops[node.op];
    const output = node.outputs[0]!;
    for (const index of mayOverwrite) {
      const input = node.inputs[index];
      if (input == null || roots.get(output) !== output) continue;
      const root = roots.get(input)!;
      const [from, to] = [program.values.get(input)!.spec, program.values.get(output)!.spec];
      const fits = from.dtype === to.dtype && sameShape(from.shape, to.shape) && specBytes(program.values.get(root)!.spec) === specBytes(to);
      const readHere = node.inputs.filter((id) => id !== null && roots.get(id) === root).length;
      // A second operand in the same memory would be overwritten while it is read.
      if (!fits || readHere !== 1 || kept.has(root) || program.values.get(root)!.kind !== "result" || left.get(root) !== 1) continue;
      for (const [id, old] of roots) if (old === output) roots.set(id, root);
      left.set(root, (left.get(root) ?? 0) + (left.get(output) ?? 0));
      break;
    }
    for (const id of node.inputs) if (id !== null) left.set(roots.get(id)!, left.get(roots.get(id)!)! - 1);
  }
}

export function planMemory(program: Program): Placement {
  const roots = storageRoots(program);
  overwriteDying(program, roots);
  const blocks = new Map<number, Block>();
  const touch = (id: number, at: number): void => {
    const root = roots.get(id)!;
    if (program.values.get(root)!.kind !== "result") return;
    const bytes = align(specBytes(program.values.get(id)!.spec));
    const block = blocks.get(root);
    if (block === undefined) blocks.set(root, { root, bytes, first: at, last: at });
    else block.last = Math.max(block.last, at);
  };
  program.nodes.forEach((node, at) => {
    for (const id of node.inputs) if (id !== null) touch(id, at);
    for (const id of node.outputs) touch(id, at);
  });
  for (const id of program.outputs.values()) touch(id, program.nodes.length);
  const { offsets, bytes } = assignOffsets([...blocks.values()]);
  const places = new Map(
    [...program.values.keys()].map((id) => {
      const root = roots.get(id)!;
      const offset = offsets.get(root);
      return [id, offset === undefined ? ({ at: "given", id: root } as const) : ({ at: "arena", offset } as const)];
    }),
  );
  return { places, arenaBytes: bytes };
}
