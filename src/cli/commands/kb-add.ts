/** @file `starbox kb add NAME PATH…`: files and folders into a knowledge base. The same command again goes on where it stopped: unchanged bytes cost nothing. */
import type { Command } from "commander";
import { type ErrorRecord, StarboxError, toErrorRecord } from "#base";
import type { DocumentInfo, KnowledgeBaseInfo } from "#contracts";
import { type Cli, type Connection, withBox } from "../cli.ts";
import { type FoundFile, findFiles, requireReadable } from "../files.ts";
import type { Builder } from "./builder.ts";
import { pullModel } from "./models.ts";

/** One line of the result. `state`: waiting, reading, words, ready, failed, needs-ocr. */
type FileLine = {
  readonly path: string;
  readonly documentId: string | null;
  readonly state: string;
  readonly pages: number | null;
  readonly chunks: number;
  readonly error?: ErrorRecord;
};

type Sent = { readonly file: FoundFile; readonly path: string; readonly documentId: string | null; readonly error?: ErrorRecord };

/** After these nothing else can succeed: stop instead of failing every file. */
const fatal: readonly string[] = ["disk_full", "box_unreachable", "unauthorized", "forbidden", "kb_not_found", "data_corrupt", "cancelled"];
const uploadsAtOnce = 4;

export function addKbAdd(kb: Command, { add, t, run }: Builder): void {
  const command = add(
    "add",
    ["add files and folders; goes on where it stopped", "添加文件和文件夹，可断点续传"],
    [
      "starbox kb add laws ./samples --wait",
      "starbox kb add 人事制度 ./制度.docx ./附件.zip",
      "starbox kb add laws ./laws --wait --json > files.jsonl",
    ],
  )
    .argument("<NAME>", t("the base's name; made when it does not exist", "知识库名称，不存在时自动新建"))
    .argument("<PATH...>", t("files and folders (hidden ones inside are left out)", "文件或文件夹（其中的隐藏文件会跳过）"))
    .option("--wait", t("until words and meaning can be searched; fetches a missing embedder first", "等到词语与语义均可检索；缺少向量模型时先下载"))
    .action(async (name: string, paths: readonly string[], flags: { wait?: boolean }) => {
      await run(async (cli) => await withBox(cli, async (box) => await addFiles(cli, box, name, paths, flags.wait === true)));
    });
  kb.addCommand(command);
}

async function addFiles(cli: Cli, box: Connection, name: string, paths: readonly string[], wait: boolean): Promise<void> {
  const { terminal } = cli;
  if (name.trim() === "") throw new StarboxError("usage", "The base's name is empty.", { zh: { message: "知识库名称为空。" } });
  const files = await findFiles(paths);
  const base = await openBase(cli, box, name);
  if (files.length === 0) terminal.note("No files found.", "没有找到文件。");
  // The embedder comes while files are being read.
  const embedder = wait
    ? fetchEmbedder(cli, box).then(
        () => null,
        (error: unknown) => error,
      )
    : Promise.resolve(null);
  const sent = await sendFiles(cli, box, base, files);
  // Alone, reading stops when this process does: words are always waited for.
  if (wait || box.where === "alone") await waitUntil(cli, box, base, sent, "words");
  const failure = await embedder;
  if (wait && failure === null) await waitUntil(cli, box, base, sent, "ready");
  const lines = await collectLines(box, base, sent);
  for (const line of lines) terminal.result(line, humanLine(line, cli));
  if (!terminal.json) summarise(cli, lines);
  if (failure !== null) throw failure;
}

async function openBase({ terminal }: Cli, { services, actor }: Connection, name: string): Promise<KnowledgeBaseInfo> {
  try {
    return await services.knowledge.readBase(actor, name);
  } catch (error) {
    if (!StarboxError.is(error, "kb_not_found")) throw error;
    const base = await services.knowledge.createBase(actor, { name });
    terminal.note(`Created the knowledge base ${base.name}.`, `已新建知识库 ${base.name}。`);
    return base;
  }
}

/** Resolves when the default embedder is on disk; at once when embedding is switched off. */
async function fetchEmbedder(cli: Cli, { services }: Connection): Promise<void> {
  const model = (await services.models.list()).find((item) => item.kind === "embedding" && item.isDefault);
  if (model === undefined && cli.settings.embedder !== "none")
    cli.terminal.note(
      "No embedder can be had here: found by words only. Bring one: starbox models import PATH.",
      "此处无法获得向量模型，只能按词语检索。可用 starbox models import 路径 导入。",
    );
  if (model === undefined || model.state === "ready" || model.state === "loaded") return;
  cli.terminal.note(`Fetching the embedder ${model.id} …`, `正在获取向量模型 ${model.id}……`);
  await pullModel(services.models, model.id, cli);
}

async function sendFiles(
  { terminal, signal }: Cli,
  { services, actor }: Connection,
  base: KnowledgeBaseInfo,
  files: readonly FoundFile[],
): Promise<readonly Sent[]> {
  const sent: Sent[] = new Array(files.length);
  const progress = terminal.progress(terminal.text("adding", "添加"));
  let next = 0;
  let done = 0;
  let stopped: unknown = null;
  const send = async (): Promise<void> => {
    while (next < files.length && stopped === null) {
      const index = next++;
      const file = files[index]!;
      try {
        signal.throwIfAborted();
        await requireReadable(file.filePath);
        const added = await services.knowledge.addFile(actor, base.id, { path: file.name, content: { filePath: file.filePath } });
        sent[index] = { file, path: added.path, documentId: added.documentId };
      } catch (error) {
        const record = toErrorRecord(error);
        if (signal.aborted || fatal.includes(record.code)) stopped ??= error;
        sent[index] = { file, path: file.name, documentId: null, error: record };
      }
      progress.update(++done, files.length, `${done}/${files.length}`);
    }
  };
  await Promise.all(Array.from({ length: uploadsAtOnce }, send));
  progress.end();
  if (stopped !== null) {
    terminal.note(
      `Stopped after ${done} of ${files.length} files. The same command goes on from there.`,
      `已处理 ${done}/${files.length} 个文件后停止。重新执行同一命令即可继续。`,
    );
    throw stopped;
  }
  return sent;
}

const settled: Readonly<Record<"words" | "ready", readonly string[]>> = {
  words: ["words", "ready", "failed", "needs-ocr"],
  ready: ["ready", "failed", "needs-ocr"],
};

/** Asks the base's totals often and the documents' states seldom, so that waiting costs the box nothing. */
async function waitUntil(
  { terminal, signal }: Cli,
  box: Connection,
  base: KnowledgeBaseInfo,
  sent: readonly Sent[],
  goal: "words" | "ready",
): Promise<void> {
  const { services, actor } = box;
  const ids = new Set(sent.flatMap(({ documentId }) => documentId ?? []));
  if (ids.size === 0) return;
  const archives = foldersOf(sent);
  if (goal === "ready" && !(await services.models.list()).some((model) => model.kind === "embedding" && model.isDefault)) return; // switched off: words are all there will be
  const progress = terminal.progress(goal === "words" ? terminal.text("reading", "读取") : terminal.text("embedding", "向量化"));
  let checkedAt = 0;
  for (let pauseMs = 50; ; pauseMs = Math.min(1000, pauseMs * 1.3)) {
    signal.throwIfAborted();
    const now = await services.knowledge.readBase(actor, base.id);
    const [done, total] = goal === "words" ? [now.documents - now.pending, now.documents] : [now.embedded, now.chunks];
    progress.update(done, total, `${done}/${total}`, now.etaSeconds);
    const complete = now.pending === 0 && (goal === "words" || now.embedded >= now.chunks);
    if (complete || Date.now() - checkedAt > 5000) {
      checkedAt = Date.now();
      const documents = await readDocuments(box, base);
      const mine = documents.filter((document) => ids.has(document.id) || isMember(document, archives));
      if (mine.every((document) => settled[goal].includes(document.state))) break;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  progress.end();
}

async function readDocuments({ services, actor }: Connection, base: KnowledgeBaseInfo): Promise<readonly DocumentInfo[]> {
  const all: DocumentInfo[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page: { readonly items: readonly DocumentInfo[]; readonly nextCursor: string | null } = await services.knowledge.listDocuments(
      actor,
      base.id,
      { limit: 1000, ...(cursor === undefined ? {} : { cursor }) },
    );
    all.push(...page.items);
    cursor = page.nextCursor;
  }
  return all;
}

/** Files inside an archive or a mail are documents of their own: "archive.zip/inner/a.md". */
const foldersOf = (sent: readonly Sent[]): readonly string[] => sent.filter(({ path }) => /\.(zip|eml)$/i.test(path)).map(({ path }) => `${path}/`);
const isMember = (document: DocumentInfo, folders: readonly string[]): boolean => folders.some((folder) => document.path.startsWith(folder));

async function collectLines(box: Connection, base: KnowledgeBaseInfo, sent: readonly Sent[]): Promise<readonly FileLine[]> {
  const documents = await readDocuments(box, base);
  const byId = new Map(documents.map((document) => [document.id, document]));
  return sent.flatMap((item): FileLine[] => {
    const document = item.documentId === null ? undefined : byId.get(item.documentId);
    if (document === undefined) {
      const error = item.error ?? { code: "document_not_found" as const, message: "Removed while it was being read." };
      return [{ path: item.path, documentId: item.documentId, state: "failed", pages: null, chunks: 0, error }];
    }
    const inside = foldersOf([item]);
    return [document, ...(inside.length === 0 ? [] : documents.filter((other) => isMember(other, inside)))].map(presentDocument);
  });
}

function presentDocument(document: DocumentInfo): FileLine {
  const { path, id, state, pages, chunks, error } = document;
  return { path, documentId: id, state, pages, chunks, ...(error === null ? {} : { error }) };
}

function humanLine(line: FileLine, { terminal }: Cli): string {
  if (line.error !== undefined) {
    const { code, message, hint, zh } = line.error;
    const way = terminal.text(hint ?? "", zh?.hint ?? hint ?? "");
    return `✗ ${line.path}  ${code}${terminal.text(": ", "：")}${terminal.text(message, zh?.message ?? message)}${way === "" ? "" : `\n    ${way}`}`;
  }
  if (line.state === "needs-ocr") return `! ${line.path}  ${terminal.text("only pictures: needs OCR", "仅含图片，需要文字识别")}`;
  if (line.state === "waiting" || line.state === "reading") return `… ${line.path}`;
  return `✓ ${line.path}  ${line.pages === null ? "" : terminal.text(`${line.pages} pages, `, `${line.pages} 页，`)}${terminal.text(`${line.chunks} passages`, `${line.chunks} 个段落`)}`;
}

function summarise({ terminal }: Cli, lines: readonly FileLine[]): void {
  const failed = lines.filter((line) => line.state === "failed").length;
  const open = lines.filter((line) => line.state === "waiting" || line.state === "reading").length;
  const words = lines.filter((line) => line.state === "words").length;
  terminal.note(
    `${lines.length} files, ${failed} failed${open > 0 ? `, ${open} still being read (starbox kb status)` : ""}${words > 0 ? `, ${words} searchable by words, meaning follows while the box runs` : ""}.`,
    `共 ${lines.length} 个文件，${failed} 个失败${open > 0 ? `，${open} 个仍在读取（starbox kb status）` : ""}${words > 0 ? `，${words} 个已可按词语检索，语义检索将在星匣运行时补齐` : ""}。`,
  );
}
