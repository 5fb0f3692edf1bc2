/** @file Product of two vectors. Four sums at once: the processor need not wait for one addition before the next. */

export function dot(x: Float32Array, y: Float32Array): number {
  const size = x.length;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i + 3 < size; i += 4) {
    a += (x[i] as number) * (y[i] as number);
    b += (x[i + 1] as number) * (y[i + 1] as number);
    c += (x[i + 2] as number) * (y[i + 2] as number);
    d += (x[i + 3] as number) * (y[i + 3] as number);
  }
  for (; i < size; i++) a += (x[i] as number) * (y[i] as number);
  return a + b + c + d;
}
