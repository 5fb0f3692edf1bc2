/** @file A directory for tests: simple binds and equality searches over TCP, in LDAP's own bytes (RFC 4511). */
import net from "node:net";

export type DirectoryEntry = { readonly dn: string; readonly password: string; readonly attributes: Readonly<Record<string, string>> };
type Tlv = { readonly tag: number; readonly value: Buffer };

const tlv = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const value = Buffer.concat(parts);
  const length = value.length < 128 ? Buffer.from([value.length]) : Buffer.from([0x82, value.length >> 8, value.length & 255]);
  return Buffer.concat([Buffer.from([tag]), length, value]);
};
const text = (value: string, tag = 4): Buffer => tlv(tag, Buffer.from(value));

/** The first element, and what follows it; null while it is not whole. */
function read(bytes: Buffer): { readonly item: Tlv; readonly rest: Buffer } | null {
  if (bytes.length < 2) return null;
  const short = bytes[1] as number;
  const extra = short < 128 ? 0 : short & 127;
  if (bytes.length < 2 + extra) return null;
  const length = short < 128 ? short : bytes.readUIntBE(2, extra);
  const start = 2 + extra;
  if (bytes.length < start + length) return null;
  return { item: { tag: bytes[0] as number, value: bytes.subarray(start, start + length) }, rest: bytes.subarray(start + length) };
}

function children(bytes: Buffer): Tlv[] {
  const list: Tlv[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const found = read(rest);
    if (found === null) break;
    list.push(found.item);
    rest = found.rest;
  }
  return list;
}

/** and, or, equality: what sign-in sends. */
function matches(filter: Tlv, attributes: Readonly<Record<string, string>>): boolean {
  const parts = children(filter.value);
  if (filter.tag === 0xa0) return parts.every((part) => matches(part, attributes));
  if (filter.tag === 0xa1) return parts.some((part) => matches(part, attributes));
  if (filter.tag !== 0xa3) return false;
  return attributes[String(parts[0]?.value)]?.toLowerCase() === String(parts[1]?.value).toLowerCase();
}

const result = (tag: number, code: number): Buffer => tlv(tag, tlv(10, Buffer.from([code])), text(""), text(""));

export async function startDirectory(
  entries: readonly DirectoryEntry[],
): Promise<{ readonly url: string; readonly searches: number[]; close(): void }> {
  const searches: number[] = [];
  const answer = (operation: Tlv): Buffer[] => {
    const parts = children(operation.value);
    if (operation.tag === 0x60) {
      const [dn, password] = [String(parts[1]?.value), String(parts[2]?.value)];
      const right = password === "" || entries.some((entry) => entry.dn === dn && entry.password === password); // as real ones: no password, no question
      return [result(0x61, right ? 0 : 49)];
    }
    if (operation.tag !== 0x63) return [];
    const found = entries.filter((entry) => matches(parts[6] as Tlv, entry.attributes));
    searches.push(found.length);
    const rows = found.map((entry) =>
      tlv(0x64, text(entry.dn), tlv(0x30, ...Object.entries(entry.attributes).map(([name, value]) => tlv(0x30, text(name), tlv(0x31, text(value)))))),
    );
    return [...rows, result(0x65, 0)];
  };
  const server = net.createServer((socket) => {
    let buffer: Buffer = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("data", (piece: Buffer) => {
      buffer = Buffer.concat([buffer, piece]);
      for (let found = read(buffer); found !== null; found = read(buffer)) {
        buffer = found.rest;
        const [id, operation] = children(found.item.value);
        for (const reply of answer(operation as Tlv)) socket.write(tlv(0x30, tlv(2, id?.value ?? Buffer.from([0])), reply));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `ldap://127.0.0.1:${(server.address() as net.AddressInfo).port}`, searches, close: () => void server.close() };
}
