/** @file Segments of a packed batch: (start, end, parent) rows; which rows see which. No operator itself. */

/** Start and end of segment `s`, clamped to the rows there are; an end before the start makes it empty. */
export function clampedRange(segments: Float64Array, s: number, count: number): readonly [number, number] {
  const clamp = (row: number): number => Math.min(count, Math.max(0, row));
  const [start, end] = [clamp(segments[s * 3]!), clamp(segments[s * 3 + 1]!)];
  return [start, Math.max(start, end)];
}

export type Visibility = { readonly causal: number; readonly window: number };

/** For each row, the rows it sees: its ancestors' all, its own segment's up to itself (or whole), within the window. */
export function visibleRows(
  segments: Float64Array,
  count: number,
  { causal, window }: Visibility,
  positions: Float64Array | undefined,
): readonly (readonly number[])[] {
  const position = (row: number): number => positions?.[row] ?? row;
  const near = (query: number, key: number): boolean => {
    const distance = position(query) - position(key);
    return window === 0 || (causal ? distance < window : Math.abs(distance) < window);
  };
  const seen: number[][] = Array.from({ length: count }, () => []);
  for (let s = 0; s * 3 < segments.length; s++) {
    const [start, end] = clampedRange(segments, s, count);
    const ancestors: number[] = [];
    for (let own = s, parent = segments[own * 3 + 2]!; parent >= 0 && parent < own; own = parent, parent = segments[own * 3 + 2]!) {
      const [first, last] = clampedRange(segments, parent, count);
      ancestors.unshift(...Array.from({ length: last - first }, (_, i) => first + i));
    }
    for (let query = start; query < end; query++) {
      const own = Array.from({ length: (causal ? query + 1 : end) - start }, (_, i) => start + i);
      seen[query] = [...ancestors, ...own].filter((key) => near(query, key));
    }
  }
  return seen;
}
