/** @file Chunks by hand: correct the text, split, join. What was touched is indexed and embedded anew. */
import type { ChunkInfo, KnowledgeService } from "#contracts";
import type { ChunkRow, DocumentRow, KbRow } from "#storage";
import { passageHash } from "../ingest/index.ts";
import { createLookup, invalid, type KnowledgeDeps } from "./deps.ts";

type Part = Pick<KnowledgeService, "listChunks" | "updateChunk" | "splitChunk" | "mergeChunk">;
type Found = { readonly chunk: ChunkRow; readonly document: DocumentRow; readonly kb: KbRow };

const maxChars = 8000;

export function createChunks(deps: KnowledgeDeps): Part {
  const { storage, reader } = deps;
  const lookup = createLookup(deps);
  const read = (id: number): ChunkInfo => present(storage.chunks.find(id) as ChunkRow);
  /** Words are cut before the transaction; the row is looked at again inside it. */
  const cut = async (kb: KbRow, texts: readonly string[]): Promise<readonly string[]> =>
    await reader.cutWords(texts, storage.kbs.readDictionary(kb.num).words);
  return {
    async listChunks(actor, documentId) {
      const row = lookup.document(actor, documentId, "read");
      return row.currentVersion === null ? [] : storage.chunks.list(row.currentVersion).map(present);
    },
    async updateChunk(actor, chunkId, patch) {
      const found = lookup.chunk(actor, chunkId, "write");
      const text = checkText(patch.text);
      const [body = "", context = ""] = await cut(found.kb, [text, found.chunk.context.join("\n")]);
      storage.transaction(() => {
        rewrite(deps, lookup.chunk(actor, chunkId, "write"), { text, edited: true }, body, context);
        finish(deps, found);
      });
      return read(chunkId);
    },
    async splitChunk(actor, chunkId, at) {
      const found = lookup.chunk(actor, chunkId, "write");
      const { chunk } = found;
      const [left, right] = [chunk.text.slice(0, at), chunk.text.slice(at)];
      if (!Number.isInteger(at) || left.trim() === "" || right.trim() === "" || /[\udc00-\udfff]/.test(chunk.text.charAt(at))) {
        throw invalid(
          `Expected a place inside the text (1 to ${chunk.text.length - 1}), got ${at}.`,
          `请选择文本内部的位置（1 到 ${chunk.text.length - 1}）。`,
        );
      }
      const [body = "", secondBody = "", context = ""] = await cut(found.kb, [left, right, chunk.context.join("\n")]);
      const second = storage.transaction(() => {
        const now = lookup.chunk(actor, chunkId, "write");
        // A chunk that was edited no longer follows the source letter by letter: both halves keep its whole place.
        const middle = chunk.edited ? chunk.end : chunk.start + at;
        storage.chunks.shiftOrdinals(chunk.version, chunk.ordinal, 1);
        rewrite(deps, now, { text: left, end: middle }, body, context);
        const id = storage.chunks.insert({
          ...now.chunk,
          ordinal: chunk.ordinal + 1,
          start: chunk.edited ? chunk.start : middle,
          text: right,
          hash: passageHash(chunk.context, right),
        });
        storage.index.addChunks(found.kb.num, [{ chunkId: id, words: [secondBody], contextWords: [context] }]);
        finish(deps, found);
        return id;
      });
      return [read(chunkId), read(second)];
    },
    async mergeChunk(actor, chunkId) {
      const found = lookup.chunk(actor, chunkId, "write");
      const { chunk } = found;
      const next = storage.chunks.list(chunk.version).find((other) => other.ordinal > chunk.ordinal);
      if (next === undefined)
        throw invalid("This is the document's last chunk: there is none to join it with.", "这是最后一个片段，没有可合并的下一段。");
      const verbatim = !chunk.edited && !next.edited && next.end > chunk.end;
      const source = verbatim ? storage.texts.find(chunk.version)?.text : undefined;
      const text = checkText(source === undefined ? `${chunk.text}\n${next.text}` : source.slice(chunk.start, next.end));
      const [body = "", context = ""] = await cut(found.kb, [text, chunk.context.join("\n")]);
      storage.transaction(() => {
        const now = lookup.chunk(actor, chunkId, "write");
        lookup.chunk(actor, next.id, "write");
        rewrite(deps, now, { text, end: Math.max(chunk.end, next.end), edited: source === undefined }, body, context);
        storage.index.removeChunks([next.id]);
        storage.chunks.remove(next.id);
        storage.vectors.removeUnused(next.hash);
        storage.chunks.shiftOrdinals(chunk.version, next.ordinal, -1);
        finish(deps, found);
      });
      return read(chunkId);
    },
  };
}

function present(row: ChunkRow): ChunkInfo {
  const { kb: _kb, document: _document, version: _version, hash: _hash, ...info } = row;
  return info;
}

function checkText(text: string): string {
  if (text.trim() === "" || text.length > maxChars)
    throw invalid(`A chunk has 1 to ${maxChars} characters, not ${text.length}.`, `片段需为 1 到 ${maxChars} 个字符。`);
  return text;
}

/** New text, new words; its old vector goes and a new one follows. */
function rewrite(
  { storage }: KnowledgeDeps,
  { chunk, kb }: Found,
  patch: { readonly text: string; readonly end?: number; readonly edited?: boolean },
  body: string,
  context: string,
): void {
  storage.chunks.update(chunk.id, { ...patch, hash: passageHash(chunk.context, patch.text), embedded: false });
  storage.index.removeVectors([chunk.id]);
  storage.index.addChunks(kb.num, [{ chunkId: chunk.id, words: [body], contextWords: [context] }]);
  storage.vectors.removeUnused(chunk.hash);
}

function finish({ storage, ingest }: KnowledgeDeps, { chunk, document, kb }: Found): void {
  const { count, embedded } = storage.chunks.count(chunk.version);
  storage.versions.update(chunk.version, { chunks: count, embedded });
  if (document.state === "ready" || document.state === "words")
    storage.documents.update(document.num, { state: embedded < count ? "words" : "ready" });
  ingest.embedMissing(kb);
}
