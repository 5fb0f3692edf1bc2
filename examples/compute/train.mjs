// A tiny network learns x -> sin x with starbox/compute and nothing else: node examples/compute/train.mjs
import { CpuDevice, ensureNative, Graph } from "starbox/compute";

const graph = new Graph();
const x = graph.input("x", "f32", [32, 2]); // rows of (x, 1)
const target = graph.input("target", "f32", [32, 1]);
const hyper = graph.input("hyper", "f32", [3]); // learning rate, step, factor of the gradient
const shapes = { w1: [16, 2], w2: [1, 16] };
const weights = Object.entries(shapes).map(([name, shape]) => graph.parameter(name, "f32", shape, { needsGradient: true }));
const hidden = graph.apply("tanh", [graph.apply("linear", [x, weights[0]])]);
const error = graph.apply("sub", [graph.apply("linear", [hidden, weights[1]]), target]);
const loss = graph.apply("mean", [graph.apply("square", [error])]);
graph.gradients(loss, weights).forEach((gradient, i) => {
  const moments = ["m", "v"].map((moment) => graph.parameter(`w${i + 1}.${moment}`, "f32", weights[i].spec.shape));
  graph.apply("adamw", [weights[i], gradient, ...moments, hyper], { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 });
});
graph.output("loss", loss);

using device = new CpuDevice({ library: await ensureNative(), threads: 2 }); // compiles the kernels the first time
const parameters = {};
for (const [name, shape] of Object.entries(shapes)) {
  const start = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => 0.7 * Math.sin(13 * i + 1));
  for (const suffix of ["", ".m", ".v"]) parameters[name + suffix] = device.tensor(name + suffix, { dtype: "f32", shape }, suffix ? start.map(() => 0) : start);
}
using step = device.compile(graph.build(), { parameters }); // forward, backward and update: one native call
const points = Float32Array.from({ length: 64 }, (_, i) => (i % 2 ? 1 : (i - 32) / 10));
const sines = Float32Array.from({ length: 32 }, (_, i) => Math.sin(points[2 * i]));
for (let n = 1; n <= 300; n++) {
  const outputs = await step.run({ inputs: { x: points, target: sines, hyper: Float32Array.of(0.02, n, 1) } });
  if (n === 1 || n % 100 === 0) console.log(`step ${n}: loss ${outputs.loss[0].toFixed(5)}`);
}
