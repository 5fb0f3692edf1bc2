/** @file Can it run? Every operator of a model's graph, with its types and shapes, on every device: its kernel, or the reason there is none. Reads no weights. */
import { type Device, formatSpec, type Node, type Program } from "#compute";
import { forwardOnly, type StageProgram } from "./stage-program.ts";

export type CanRunRow = {
  readonly op: string;
  readonly pass: "fwd" | "bwd";
  readonly types: string;
  readonly shape: string;
  /** How many times the model's graph has it, and the first stage. */
  readonly count: number;
  readonly first: string;
  readonly devices: Readonly<Record<string, { readonly kernel: string | null; readonly reason?: string }>>;
};

function ask(device: Device, program: Program, node: Node): { readonly kernel: string | null; readonly reason?: string } {
  const kernel = device.kernels[node.op];
  const why = typeof kernel === "string" ? device.whyNot(program, node) : kernel.unsupported;
  return why === null ? { kernel: kernel as string } : { kernel: null, reason: why };
}

export function canRun(stages: readonly StageProgram[], devices: readonly Device[]): CanRunRow[] {
  const rows = new Map<string, { row: CanRunRow; count: number }>();
  for (const { name, program } of stages) {
    const forward = forwardOnly(program);
    program.nodes.forEach((node, at) => {
      const specs = node.inputs.flatMap((id) => (id === null ? [] : [program.values.get(id)!.spec]));
      const pass = at < forward.nodes.length ? "fwd" : "bwd";
      const key = JSON.stringify([node.op, pass, specs.map(formatSpec), node.params]);
      const known = rows.get(key);
      if (known !== undefined) return void known.count++;
      const row: CanRunRow = {
        op: node.op,
        pass,
        types: [...new Set(specs.map(({ dtype }) => dtype))].join(" "),
        shape: specs.map(({ shape }) => `[${shape.join(", ")}]`).join(" "),
        count: 1,
        first: name,
        devices: Object.fromEntries(devices.map((device) => [device.name, ask(device, pass === "fwd" ? forward : program, node)])),
      };
      rows.set(key, { row, count: 1 });
    });
  }
  return [...rows.values()].map(({ row, count }) => ({ ...row, count }));
}
