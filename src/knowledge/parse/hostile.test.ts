/** @file Files that mean harm or are broken: each ends in a named error with a way out in both languages, and nothing else happens. */
import { randomBytes } from "node:crypto";
import iconv from "iconv-lite";
import { describe, expect, test } from "vitest";
import { StarboxError } from "#base";
import { docxFromBody, wordParagraph, zipParts } from "../../../scripts/samples/office-writer.ts";
import { rawZip } from "../../../test/fixtures/documents/raw-zip.ts";
import { chunkDocument } from "../chunk/index.ts";
import { parseDocument } from "./parse-document.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const zeros = (mib: number): Uint8Array => new Uint8Array(mib * 2 ** 20);

async function failure(bytes: Uint8Array, name: string): Promise<StarboxError> {
  const error = await parseDocument(bytes, name).then(
    (parsed) => parsed,
    (e: unknown) => e,
  );
  if (!StarboxError.is(error)) throw new Error(`${name}: expected a StarboxError, got ${JSON.stringify(error)?.slice(0, 300)}`);
  expect(error.hint, name).toBeTruthy();
  expect(error.zh?.message, name).toMatch(/[一-龥]/);
  expect(error.zh?.hint, name).toMatch(/[一-龥]/);
  return error;
}

function ole(stream: string): Uint8Array {
  return Buffer.concat([
    Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]),
    Buffer.alloc(1024),
    Buffer.from(stream, "utf16le"),
    Buffer.alloc(512),
  ]);
}

describe("formats that are not read say what to convert to", () => {
  test.each([
    ["a.doc", ole("WordDocument"), "DOCX"],
    ["a.xls", ole("Workbook"), "XLSX"],
    ["a.ppt", ole("PowerPoint Document"), "PPTX"],
    ["renamed.txt", ole("WordDocument"), "DOCX"],
    ["a.wps", ole("WordDocument"), "DOCX"],
    ["a.et", ole("Workbook"), "XLSX"],
    ["a.dps", ole("PowerPoint Document"), "PPTX"],
    ["a.ofd", zipParts({ "OFD.xml": "<ofd/>" }), "PDF"],
    ["a.rtf", utf8("{\\rtf1 hello}"), "DOCX"],
    ["a.msg", ole("__substg1.0_0037001F"), "EML"],
    ["a.rar", utf8("Rar!\x1a\x07\x01\x00"), "ZIP"],
    ["a.odt", zipParts({ mimetype: "application/vnd.oasis.opendocument.text", "content.xml": "<x/>" }), "DOCX"],
    ["photo.png", Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), "PDF"],
    ["noise.bin", randomBytes(4096), "PDF"],
  ])("%s", async (name, bytes, target) => {
    const error = await failure(bytes, name);
    expect(error.code).toBe("unsupported_format");
    expect(error.hint).toContain(target);
    expect(error.zh?.hint).toContain(target);
  });
});

test("a Word file with a password is told from an old Word file", async () => {
  expect((await failure(ole("EncryptedPackage"), "a.docx")).code).toBe("document_password");
  expect((await failure(rawZip([{ name: "a.txt", data: utf8("x"), encrypted: true }]), "a.zip")).code).toBe("document_password");
});

describe("bombs", () => {
  test("one member that grows a thousand times", async () => {
    expect((await failure(rawZip([{ name: "big.txt", data: zeros(64) }]), "bomb.zip")).code).toBe("document_bomb");
  });
  test("a member larger than it says", async () => {
    expect((await failure(rawZip([{ name: "big.txt", data: zeros(8), claimedSize: 10 }]), "liar.zip")).code).toBe("document_bomb");
  });
  test("members that share their bytes", async () => {
    const data = randomBytes(200_000);
    expect(
      (await failure(rawZip([{ name: "a", data }, ...Array.from({ length: 50 }, (_, i) => ({ name: `b${i}`, data, overlap: true }))]), "overlap.zip"))
        .code,
    ).toBe("document_bomb");
  });
  test("archives in archives in archives", async () => {
    let inner = zipParts({ "a.txt": "bottom" });
    for (let depth = 0; depth < 8; depth++) inner = zipParts({ [`level${depth}.zip`]: inner });
    expect((await failure(inner, "nested.zip")).code).toBe("document_bomb");
  });
  test("too many members", async () => {
    expect((await failure(rawZip(Array.from({ length: 20_001 }, (_, i) => ({ name: `${i}`, data: new Uint8Array() }))), "many.zip")).code).toBe(
      "document_bomb",
    );
  });
  test("a Word file whose text is a bomb", async () => {
    const body = rawZip([
      { name: "[Content_Types].xml", data: utf8("<Types/>") },
      { name: "word/document.xml", data: Buffer.concat([utf8("<w:document><w:body>"), zeros(40)]) },
    ]);
    expect((await failure(body, "bomb.docx")).code).toBe("document_bomb");
  });
  test("an ordinary archive is none, and its members keep their folders and Chinese names", async () => {
    const nested = zipParts({ "内层.txt": "内层内容" });
    const bytes = rawZip([
      { name: "制度/考勤.txt", data: utf8("考勤内容") },
      { name: "x", data: utf8("旧编码"), nameBytes: iconv.encode("财务/报销.txt", "gbk") },
      { name: "包.zip", data: nested },
      { name: "__MACOSX/._a", data: utf8("junk") },
      { name: "link", data: utf8("/etc/passwd"), symlink: true },
    ]);
    const parsed = await parseDocument(bytes, "资料.zip");
    expect(parsed.children.map((child) => child.path)).toEqual(["制度/考勤.txt", "财务/报销.txt", "包.zip/内层.txt"]);
    expect(parsed.warnings.map((warning) => warning.code)).toEqual(["link_skipped"]);
  });
  test("one damaged member is set aside, the rest is read", async () => {
    const parsed = await parseDocument(
      rawZip([
        { name: "bad.txt", data: utf8("bad"), crc: 1 },
        { name: "good.txt", data: utf8("good") },
      ]),
      "mixed.zip",
    );
    expect(parsed.children.map((child) => child.path)).toEqual(["good.txt"]);
    expect(parsed.warnings[0]?.code).toBe("document_corrupt");
  });
});

test.each(["../evil.txt", "a/../../evil.txt", "/etc/passwd", "C:\\windows\\evil.txt", "..\\..\\evil.txt", "a\0b.txt"])(
  "a member named %j condemns the archive",
  async (name) => {
    expect(
      (
        await failure(
          rawZip([
            { name: "ok.txt", data: utf8("fine") },
            { name, data: utf8("x") },
          ]),
          "slip.zip",
        )
      ).code,
    ).toBe("path_unsafe");
  },
);

test("XML entities are not expanded, not even by name from a file", async () => {
  const lol = `<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>`;
  const document = `<?xml version="1.0"?>${lol}<w:document xmlns:w="w"><w:body>${wordParagraph("前")}<w:p><w:r><w:t>&b;&f;</w:t></w:r></w:p>${wordParagraph("后")}</w:body></w:document>`;
  const bytes = docxFromBody("", { "word/document.xml": document });
  const parsed = await parseDocument(bytes, "xxe.docx");
  expect(parsed.text).not.toContain("lol");
  expect(parsed.text).not.toContain("root:");
  expect(parsed.text).toContain("前");
});

test("nesting to exhaust the stack", async () => {
  expect((await failure(docxFromBody("<w:tbl>".repeat(5000)), "deep.docx")).code).toBe("document_corrupt");
  expect((await failure(utf8("<div><table><tr><td>".repeat(50_000)), "deep.html")).code).toBe("document_corrupt");
  const html = await parseDocument(utf8(`${"<div><table><tr><td>".repeat(2000)}内容`), "deep.html");
  expect(html.text).toContain("内容");
  const json = await parseDocument(utf8(`{"a":"内容","b":${"[".repeat(5000)}${"]".repeat(5000)}}`), "deep.json");
  expect(json.text).toContain("内容");
  const markdown = await parseDocument(utf8(`${"> ".repeat(20_000)}内容\n${"[".repeat(20_000)}\n${"*".repeat(20_000)}a`), "deep.md");
  expect(markdown.text).toContain("内容");
});

test.each([
  ["a.md", `# a${" ".repeat(50_000)}b${"#".repeat(50_000)}c`],
  ["b.md", "~~".repeat(20_000)],
  ["c.html", `<p>${" \n".repeat(100_000)}x`],
  ["d.md", "\\".repeat(50_000) + "|".repeat(50_000)],
  ["e.md", "![".repeat(20_000) + "](".repeat(20_000)],
  ["f.txt", "第".repeat(100_000) + "一".repeat(100_000)],
  ["g.md", `${"| a ".repeat(30_000)}\n${"|-".repeat(30_000)}\n${"|a".repeat(30_000)}`],
  ["h.md", `${" ".repeat(100_000)}x${" ".repeat(100_000)}y`],
  ["i.csv", '"'.repeat(100_001)],
  ["j.txt", `${"a ".repeat(100_000)}。`],
  ["k.md", `- ${" ".repeat(100_000)}x`],
  ["l.md", "<".repeat(100_000)],
  ["m.html", "<".repeat(100_000)],
  ["n.eml", `From: a\nTo: b\nSubject: ${" ".repeat(50_000)}x\n\nbody`],
  ["o.txt", `${"1900年1月1日".repeat(20_000)}`],
  ["q.md", "一行没有句号的文字\n".repeat(60_000)],
  ["r.txt", "一行没有句号的文字而且长度足够被认为是手工换行的一行文字\n".repeat(30_000)],
  ["p.txt", "(".repeat(100_000) + "。".repeat(1000)],
])("%s takes no longer because it was written to", async (name, text) => {
  const from = performance.now();
  const parsed = await parseDocument(utf8(text), name).catch((error: unknown) => (StarboxError.is(error) ? null : Promise.reject(error)));
  if (parsed !== null) chunkDocument(parsed);
  expect(performance.now() - from).toBeLessThan(2500);
});

test("damage and emptiness", async () => {
  const docx = docxFromBody(wordParagraph("正文"));
  expect((await failure(docx.subarray(0, docx.length - 40), "cut.docx")).code).toBe("document_corrupt");
  expect((await failure(utf8("not a zip"), "fake.docx")).code).toBe("document_corrupt");
  expect((await failure(zipParts({ "a.txt": "x" }), "fake.xlsx")).code).toBe("document_corrupt");
  expect((await failure(utf8("not json at all"), "a.json")).code).toBe("document_corrupt");
  expect((await failure(new Uint8Array(), "empty.txt")).code).toBe("document_empty");
  expect((await failure(utf8(" \n\t\n"), "blank.md")).code).toBe("document_empty");
  expect((await failure(docxFromBody(""), "blank.docx")).code).toBe("document_empty");
});

test("bytes in no known encoding", async () => {
  const noise = Uint8Array.from({ length: 3000 }, (_, i) => 0x80 + ((i * 7919 + (i >> 3)) % 127));
  expect(["encoding_unknown", "unsupported_format"]).toContain((await failure(noise, "noise.txt")).code);
});

test("hidden and direction-changing characters are removed", async () => {
  expect((await parseDocument(utf8("安全\u200b的\u202e文\u0000字\ufeff。"), "a.md")).text).toBe("安全的文字。");
});

test("random bytes under every name end in text or a named error", async () => {
  const names = ["a.pdf", "a.docx", "a.xlsx", "a.pptx", "a.epub", "a.zip", "a.eml", "a.html", "a.md", "a.txt", "a.csv", "a.json", "a.xml", "a"];
  const valid = docxFromBody(wordParagraph("正文内容"));
  for (let round = 0; round < 40; round++) {
    const bytes = round % 2 === 0 ? randomBytes(200 + round * 50) : Buffer.from(valid);
    if (round % 2 === 1) for (let i = 0; i < 12; i++) bytes[Math.floor(Math.random() * bytes.length)] = Math.floor(Math.random() * 256);
    const error = await parseDocument(bytes, names[round % names.length] ?? "a").catch((e: unknown) => e);
    if (error instanceof Error) expect(StarboxError.is(error), String(error)).toBe(true);
  }
});
