/** @file The library used alone: a tiny network learns x ↦ sin x on every device. The example of docs/operators.md. */
import { expect, test } from "vitest";
import { CpuDevice, type Device, ensureNative, Graph, ReferenceDevice, type Value } from "#compute";

/** Trains two layers of 16 for 300 steps; answers the first and the last loss. One step is one program: forward, backward, update. */
async function learnSine(device: Device): Promise<readonly [number, number]> {
  const graph = new Graph();
  const shapes = { w1: [16, 2], w2: [1, 16] } as const;
  const x = graph.input("x", "f32", [32, 2]); // [T, (x, 1)]
  const target = graph.input("target", "f32", [32, 1]);
  const hyper = graph.input("hyper", "f32", [3]); // learning rate, step, gradient scale
  const weight = (name: keyof typeof shapes): Value => graph.parameter(name, "f32", shapes[name], { needsGradient: true });
  const [w1, w2] = [weight("w1"), weight("w2")];
  const y = graph.apply("linear", [graph.apply("tanh", [graph.apply("linear", [x, w1])]), w2]); // [T, 1]
  const loss = graph.apply("mean", [graph.apply("square", [graph.apply("sub", [y, target])])]);
  const gradients = graph.gradients(loss, [w1, w2]);
  for (const [i, name] of (["w1", "w2"] as const).entries()) {
    const moments = ["m", "v"].map((moment) => graph.parameter(`${name}.${moment}`, "f32", shapes[name]));
    graph.apply("adamw", [[w1, w2][i]!, gradients[i]!, ...moments, hyper], { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 });
  }
  graph.output("loss", loss);

  const start = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + 1) * 0.7);
  const parameters = Object.fromEntries(
    Object.entries(shapes).flatMap(([name, shape]) =>
      ["", ".m", ".v"].map((suffix) => {
        const count = shape[0] * shape[1];
        return [
          name + suffix,
          device.tensor(name + suffix, { dtype: "f32", shape }, suffix === "" ? start(count) : new Float32Array(count)),
        ] as const;
      }),
    ),
  );
  using step = device.compile(graph.build(), { parameters });
  const points = Float32Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? -3 + i * 0.09375 : 1));
  const sines = Float32Array.from({ length: 32 }, (_, i) => Math.sin(points[2 * i]!));
  const losses: number[] = [];
  for (let n = 1; n <= 300; n++) {
    const outputs = await step.run({ inputs: { x: points, target: sines, hyper: Float32Array.of(0.02, n, 1) } });
    losses.push(outputs["loss"]![0]!);
  }
  return [losses[0]!, losses.at(-1)!];
}

/** The first to need the library on a machine waits for its compilation. */
const timeout = 400_000;

test("a tiny network learns on the reference and on the processor, to the same loss", { timeout }, async () => {
  using reference = new ReferenceDevice();
  const [first, last] = await learnSine(reference);
  expect(first).toBeGreaterThan(0.1);
  expect(last).toBeLessThan(0.01);
  using cpu = new CpuDevice({ library: await ensureNative(), threads: 2 });
  const [cpuFirst, cpuLast] = await learnSine(cpu);
  expect(cpuFirst).toBeCloseTo(first, 5);
  expect(Math.abs(cpuLast - last)).toBeLessThan(0.2 * last);
});

test("the same run gives the same bits for any number of threads", { timeout }, async () => {
  const library = await ensureNative();
  const results: (readonly [number, number])[] = [];
  for (const threads of [1, 2, 3]) {
    using device = new CpuDevice({ library, threads });
    results.push(await learnSine(device));
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});
