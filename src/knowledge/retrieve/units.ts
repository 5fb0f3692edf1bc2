/** @file Traditional to Simplified one UTF-16 unit at a time: fast enough for every candidate of every question. For comparing only. */
import { normalise } from "../text/index.ts";

let table: Uint16Array | undefined;

/** Built once from the full converter (about 20 ms). */
function unitTable(): Uint16Array {
  if (table !== undefined) return table;
  table = Uint16Array.from({ length: 65536 }, (_, unit) => unit);
  for (let unit = 0x4e00; unit <= 0x9fff; unit++) {
    const simple = normalise(String.fromCharCode(unit));
    if (simple.length === 1) table[unit] = simple.charCodeAt(0);
  }
  return table;
}

export function simplifyUnits(text: string): Uint16Array {
  const map = unitTable();
  const units = new Uint16Array(text.length);
  for (let i = 0; i < text.length; i++) units[i] = map[text.charCodeAt(i)] as number;
  return units;
}
