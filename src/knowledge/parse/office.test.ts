/** @file Word, Excel, PowerPoint and EPUB files built part by part, the way real ones are. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import type { ParsedDocument } from "#contracts";
import { docxFromBody, wordParagraph, writeXlsx, zipParts } from "../../../scripts/samples/office-writer.ts";
import { chunkDocument } from "../chunk/index.ts";
import { chineseNumber } from "./docx-numbering.ts";
import { parseDocument } from "./parse-document.ts";

const samples = path.join(import.meta.dirname, "../../../samples");
const linesOf = (parsed: ParsedDocument): string[] => parsed.blocks.map((block) => parsed.text.slice(block.start, block.end));
const word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"';

test("a Word statute: title, chapters, every article with its chapter", async () => {
  const parsed = await parseDocument(readFileSync(path.join(samples, "个人信息保护法(2021-08-20).docx")), "个人信息保护法(2021-08-20).docx");
  expect(parsed.meta).toMatchObject({ title: "中华人民共和国个人信息保护法", date: "2021-08-20" });
  const articles = chunkDocument(parsed).filter((chunk) => chunk.label !== null);
  expect(new Set(articles.map((chunk) => chunk.label)).size).toBe(74);
  expect(articles.find((chunk) => chunk.label === "第十三条")?.context).toEqual([
    "中华人民共和国个人信息保护法",
    "第二章 个人信息处理规则",
    "第一节 一般规定",
  ]);
});

test("automatic numbers of Word lists are part of the text", async () => {
  const numbered = (text: string, id: string, depth: number): string =>
    wordParagraph(text, undefined, `<w:numPr><w:ilvl w:val="${depth}"/><w:numId w:val="${id}"/></w:numPr>`);
  const level = (depth: number, format: string, text: string): string =>
    `<w:lvl w:ilvl="${depth}"><w:start w:val="1"/><w:numFmt w:val="${format}"/><w:lvlText w:val="${text}"/></w:lvl>`;
  const numbering = `<w:numbering ${word}><w:abstractNum w:abstractNumId="0">${level(0, "chineseCountingThousand", "第%1条")}${level(1, "chineseCounting", "（%2）")}</w:abstractNum><w:abstractNum w:abstractNumId="1">${level(0, "decimal", "%1.")}${level(1, "decimal", "%1.%2")}</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num></w:numbering>`;
  const body = [
    ...Array.from({ length: 11 }, (_, i) => numbered(`内容${i + 1}`, "1", 0)),
    numbered("甲项", "1", 1),
    numbered("乙项", "1", 1),
    numbered("下一条", "1", 0),
    numbered("丙项", "1", 1),
    numbered("Scope", "2", 0),
    numbered("Terms", "2", 1),
  ].join("");
  const parsed = await parseDocument(docxFromBody(body, { "word/numbering.xml": numbering }), "a.docx");
  const lines = linesOf(parsed);
  expect(lines.slice(9)).toEqual([
    "第十条 内容10",
    "第十一条 内容11",
    "（一）甲项",
    "（二）乙项",
    "第十二条 下一条",
    "（一）丙项",
    "1.Scope",
    "1.1 Terms",
  ]);
  expect(chunkDocument(parsed).find((chunk) => chunk.label === "第十一条")).toBeDefined();
});

test.each([
  [1, "一"],
  [10, "十"],
  [11, "十一"],
  [20, "二十"],
  [101, "一百零一"],
  [110, "一百一十"],
  [1004, "一千零四"],
])("%i is %s", (value, text) => {
  expect(chineseNumber(value)).toBe(text);
});

test("Word tables row by row, merged cells repeated, deleted text gone, text boxes once", async () => {
  const cell = (text: string, properties = ""): string =>
    `<w:tc><w:tcPr>${properties}</w:tcPr>${text === "" ? "<w:p/>" : wordParagraph(text)}</w:tc>`;
  const table = `<w:tbl><w:tr>${cell("部门")}${cell("岗位")}${cell("人数")}</w:tr><w:tr>${cell("研发部", '<w:vMerge w:val="restart"/>')}${cell("工程师")}${cell("12")}</w:tr><w:tr>${cell("", "<w:vMerge/>")}${cell("测试员")}${cell("3")}</w:tr></w:tbl>`;
  const changed = `<w:p><w:r><w:t>保留</w:t></w:r><w:del><w:r><w:delText>删除</w:delText><w:t>删除</w:t></w:r></w:del><w:ins><w:r><w:t>新增</w:t></w:r></w:ins></w:p>`;
  const box = `<w:p><w:r><mc:AlternateContent xmlns:mc="m"><mc:Choice><w:txbxContent>${wordParagraph("框内文字")}</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>${wordParagraph("框内文字")}</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>`;
  const parsed = await parseDocument(docxFromBody(table + changed + box), "t.docx");
  expect(linesOf(parsed)).toEqual(["部门：研发部；岗位：工程师；人数：12", "部门：研发部；岗位：测试员；人数：3", "保留新增", "框内文字"]);
});

test("Excel: columns named in every row, dates as dates, merged cells filled, hidden sheets left out", async () => {
  const styles =
    '<styleSheet><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;"/></numFmts><cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="10"/></cellXfs></styleSheet>';
  const sheet =
    '<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>员工名册</t></is></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>部门</t></is></c><c r="B2" t="inlineStr"><is><t>姓名</t></is></c><c r="C2" t="inlineStr"><is><t>入职</t></is></c><c r="D2" t="inlineStr"><is><t>比例</t></is></c></row><row r="3"><c r="A3" t="inlineStr"><is><t>财务部</t></is></c><c r="B3" t="inlineStr"><is><t>张三</t></is></c><c r="C3" s="1"><v>44197</v></c><c r="D3" s="2"><v>0.125</v></c></row><row r="4"><c r="B4" t="inlineStr"><is><t>李四</t></is></c><c r="C4" s="1"><v>44562</v></c><c r="D4"><v>0.30000000000000004</v></c></row></sheetData><mergeCells><mergeCell ref="A3:A4"/></mergeCells></worksheet>';
  const bytes = writeXlsx(
    [
      { name: "名册", rows: [] },
      { name: "内部", rows: [["a", "b"]] },
    ],
    { "xl/styles.xml": styles, "xl/worksheets/sheet1.xml": sheet },
  );
  const parsed = await parseDocument(bytes, "员工名册.xlsx");
  expect(linesOf(parsed).slice(0, 4)).toEqual([
    "名册",
    "员工名册",
    "部门：财务部；姓名：张三；入职：2021-01-01；比例：12.5%",
    "部门：财务部；姓名：李四；入职：2022-01-01；比例：0.3",
  ]);
  expect(parsed.blocks[2]).toMatchObject({ kind: "table-row", page: 1, label: "名册 第3行" });
  expect(parsed.meta.title).toBe("员工名册");
});

test("Excel questions with answers are found one by one", async () => {
  const rows = [
    ["问题", "答案"],
    ["年假有几天？", "满一年五天。"],
    ["病假工资怎么算？", "按规定比例。"],
  ];
  const chunks = chunkDocument(await parseDocument(writeXlsx([{ name: "FAQ", rows }]), "faq.xlsx"));
  expect(chunks).toHaveLength(2);
  expect(chunks[1]?.label).toBe("FAQ 第3行");
});

test("PowerPoint: slide titles, text, tables and notes with the slide as page", async () => {
  const paragraph = (text: string): string => `<a:p><a:r><a:t>${text}</a:t></a:r></a:p>`;
  const shape = (text: string, placeholder: string): string =>
    `<p:sp><p:nvSpPr><p:nvPr>${placeholder}</p:nvPr></p:nvSpPr><p:txBody>${paragraph(text)}</p:txBody></p:sp>`;
  const slide = (body: string, show = ""): string => `<p:sld${show}><p:cSld><p:spTree>${body}</p:spTree></p:cSld></p:sld>`;
  const relations = (...targets: string[]): string =>
    `<Relationships>${targets.map((target, at) => `<Relationship Id="r${at + 1}" Type="x/${target.includes("notes") ? "notesSlide" : "slide"}" Target="${target}"/>`).join("")}</Relationships>`;
  const table = `<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody>${paragraph("指标")}</a:txBody></a:tc><a:tc><a:txBody>${paragraph("数值")}</a:txBody></a:tc></a:tr><a:tr><a:tc><a:txBody>${paragraph("营收")}</a:txBody></a:tc><a:tc><a:txBody>${paragraph("三亿")}</a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>`;
  const bytes = zipParts({
    "[Content_Types].xml": "<Types/>",
    "ppt/presentation.xml": '<p:presentation><p:sldIdLst><p:sldId r:id="r2"/><p:sldId r:id="r1"/><p:sldId r:id="r3"/></p:sldIdLst></p:presentation>',
    "ppt/_rels/presentation.xml.rels": relations("slides/slide1.xml", "slides/slide2.xml", "slides/slide3.xml"),
    "ppt/slides/slide1.xml": slide(shape("第二张标题", '<p:ph type="title"/>') + shape("正文要点", "") + shape("2", '<p:ph type="sldNum"/>') + table),
    "ppt/slides/slide2.xml": slide(shape("年度汇报", '<p:ph type="ctrTitle"/>')),
    "ppt/slides/slide3.xml": slide(shape("藏起来", ""), ' show="0"'),
    "ppt/slides/_rels/slide1.xml.rels": relations("../notesSlides/notesSlide1.xml"),
    "ppt/notesSlides/notesSlide1.xml": slide(shape("备注里的话", "")),
  });
  const parsed = await parseDocument(bytes, "汇报.pptx");
  expect(linesOf(parsed)).toEqual(["年度汇报", "第二张标题", "正文要点", "指标：营收；数值：三亿", "备注里的话"]);
  expect(parsed.blocks.map((block) => block.page)).toEqual([1, 2, 2, 2, 2]);
  expect(parsed.pages).toBe(3);
});

test("EPUB: chapters in reading order, the contents page not repeated", async () => {
  const chapter = (title: string, text: string): string =>
    `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body><h1>${title}</h1><p>${text}</p></body></html>`;
  const bytes = zipParts({
    mimetype: "application/epub+zip",
    "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
    "OEBPS/book.opf":
      '<package><metadata><dc:title>员工手册</dc:title><dc:language>zh</dc:language></metadata><manifest><item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/><item id="b" href="text/b%20two.xhtml" media-type="application/xhtml+xml"/><item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/></spine></package>',
    "OEBPS/nav.xhtml": chapter("目录", "第一章"),
    "OEBPS/text/a.xhtml": chapter("总则", "员工应当准时上班。"),
    "OEBPS/text/b two.xhtml": chapter("假期", "员工享有带薪年休假。"),
  });
  const parsed = await parseDocument(bytes, "book.epub");
  expect(linesOf(parsed)).toEqual(["总则", "员工应当准时上班。", "假期", "员工享有带薪年休假。"]);
  expect(parsed.meta).toMatchObject({ title: "员工手册", language: "zh" });
});
