import { ReferenceDevice } from "./compute/backends/reference/reference-device.ts";
import { GgmlDevice, opNames, ops } from "#compute";
import { verifySample } from "./compute/verify/verify-sample.ts";
const devices = process.argv[2]==="ref" ? [new ReferenceDevice()] : [new GgmlDevice({threads:2})];
let good=0, bad=0, skip=0; const reasons=new Map();
for (const d of devices) for (const op of opNames) for (const s of ops[op].samples) {
  if (process.argv[3] && !op.includes(process.argv[3])) continue;
  if (process.argv[4]) process.stderr.write(`${op} ${s.label}\n`);
  try { for (const r of await verifySample(d, op, s)) { if (r.pass==="run") { skip++; reasons.set(r.reason,(reasons.get(r.reason)??0)+1);} else if (r.ok) good++; else { bad++; console.log("BAD", op, r.label, r.pass, r.dtype, r.value, r.threshold, r.reason ?? ""); } } }
  catch (e) { bad++; console.log("THROW", op, s.label, (e as Error).message.slice(0,200)); }
}
console.log({good,bad,skip}); if (process.argv[2]!=="ref") console.log([...reasons].slice(0,60));
