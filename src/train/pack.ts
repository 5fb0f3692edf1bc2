/**
 * @file Examples into micro-batches without padding between them: plain (one segment an example, block-diagonal attention) or with shared prefixes
 * (one copy of what several examples begin with, a tree of segments, positions continued). Follows from the examples alone, so it is the same on every run.
 */

/** Tokens, and the weight of the loss on predicting each from those before it (weights[0] is always 0). */
export type Example = { readonly ids: Int32Array; readonly weights: Float32Array };

export type Packed = {
  readonly ids: readonly number[];
  readonly positions: readonly number[];
  /** (start, end, parent). */
  readonly segments: readonly (readonly [number, number, number])[];
  /** Rows whose next token is learned, that token, and its weight. */
  readonly rows: readonly number[];
  readonly targets: readonly number[];
  readonly weights: readonly number[];
  /** Tokens the same examples have without sharing. */
  readonly unsharedTokens: number;
};

type Leaf = { readonly example: Example; readonly order: number };
type Tree = { readonly from: number; readonly to: number; readonly leaves: readonly Leaf[]; readonly children: readonly Tree[] };

/** Sharing shorter prefixes than this saves less than another segment costs. */
const shortestPrefix = 8;

function commonPrefix(leaves: readonly Leaf[], from: number): number {
  const first = leaves[0]!.example.ids;
  let to = Math.min(...leaves.map(({ example }) => example.ids.length));
  for (const { example } of leaves) {
    let at = from;
    while (at < to && example.ids[at] === first[at]) at++;
    to = at;
  }
  return to;
}

function buildTree(leaves: readonly Leaf[], from: number): Tree[] {
  const groups = new Map<number, Leaf[]>();
  const alone: Leaf[] = [];
  for (const leaf of leaves) {
    const token = leaf.example.ids[from];
    if (token === undefined) alone.push(leaf);
    else groups.set(token, [...(groups.get(token) ?? []), leaf]);
  }
  const own = ({ example, order }: Leaf): Tree => ({ from, to: example.ids.length, leaves: [{ example, order }], children: [] });
  return [
    ...alone.map(own),
    ...[...groups.values()].flatMap((group) => {
      if (group.length === 1) return group.map(own);
      const to = commonPrefix(group, from);
      if (to - from < shortestPrefix) return group.map(own);
      return [{ from, to, leaves: group, children: buildTree(group, to) }];
    }),
  ];
}

/** Rows the examples need with shared prefixes. */
export function sharedTokens(examples: readonly Example[]): number {
  const count = (tree: Tree): number => tree.to - tree.from + tree.children.reduce((sum, child) => sum + count(child), 0);
  return buildTree(
    examples.map((example, order) => ({ example, order })),
    0,
  ).reduce((sum, tree) => sum + count(tree), 0);
}

export function packExamples(examples: readonly Example[], share: boolean): Packed {
  const ids: number[] = [];
  const positions: number[] = [];
  const segments: [number, number, number][] = [];
  const learned: { row: number; target: number; weight: number }[] = [];
  const leaves = examples.map((example, order) => ({ example, order }));
  const whole = ({ example, order }: Leaf): Tree => ({ from: 0, to: example.ids.length, leaves: [{ example, order }], children: [] });
  /** `row` of token from-1 of this branch, where there is one. */
  const place = (tree: Tree, parent: number, before: number): void => {
    const start = ids.length;
    const text = tree.leaves[0]!.example.ids;
    const rowOf = (at: number): number => (at < tree.from ? before : start + at - tree.from);
    for (let at = tree.from; at < tree.to; at++) {
      ids.push(text[at]!);
      positions.push(at);
      const weight = tree.leaves.reduce((sum, { example }) => sum + example.weights[at]!, 0);
      // A prefix's last row may have another next token for each branch: it is then learned once for each.
      if (at > 0 && weight > 0) learned.push({ row: rowOf(at - 1), target: text[at]!, weight });
    }
    const self = segments.push([start, ids.length, parent]) - 1;
    for (const child of tree.children) if (child.to > child.from) place(child, self, start + tree.to - tree.from - 1);
  };
  for (const tree of share ? buildTree(leaves, 0) : leaves.map(whole)) place(tree, -1, -1);
  learned.sort((a, b) => a.row - b.row);
  return {
    ids,
    positions,
    segments,
    rows: learned.map(({ row }) => row),
    targets: learned.map(({ target }) => target),
    weights: learned.map(({ weight }) => weight),
    unsharedTokens: examples.reduce((sum, { ids: own }) => sum + own.length, 0),
  };
}

export type PackOptions = { readonly share: boolean; readonly batchTokens: number /** One example a micro-batch. */; readonly single?: boolean };

/** An optimiser batch as micro-batches of at most `batchTokens` rows (an example longer than that is one by itself). Neighbours by their first tokens go together. */
export function packBatch(examples: readonly Example[], { share, batchTokens, single = false }: PackOptions): readonly Packed[] {
  const ordered = share ? examples.toSorted(byTokens) : examples;
  const parts: Example[][] = [];
  let rows = 0;
  for (const example of ordered) {
    const part = parts.at(-1);
    const together = part === undefined ? 0 : share ? sharedTokens([...part, example]) : rows + example.ids.length;
    if (part === undefined || single || together > batchTokens) {
      parts.push([example]);
      rows = example.ids.length;
    } else {
      part.push(example);
      rows = together;
    }
  }
  return parts.map((part) => packExamples(part, share));
}

function byTokens({ ids: a }: Example, { ids: b }: Example): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
