/** @file How fast this box reads and embeds, measured as it works; and from that how long the rest will take. */

export type Pace = {
  wasRead(bytes: number): void;
  wasEmbedded(chunks: number, ms: number): void;
  /** null: nothing to do, or nothing measured yet. */
  etaSeconds(left: {
    readonly bytes: number;
    readonly chunks: number /** Chunks a byte gives, as far as known. */;
    readonly chunksPerByte: number;
  }): number | null;
};

/** Reading is measured over the last files, several at a time; a pause longer than this starts a new measurement. */
const pauseMs = 10_000;
const filesKept = 200;
const keep = 0.9;

export function createPace(now: () => number): Pace {
  let files: { readonly at: number; readonly bytes: number }[] = [];
  let chunksPerMs: number | null = null;
  const bytesPerMs = (): number | null => {
    const [first, last] = [files[0], files.at(-1)];
    if (first === undefined || last === undefined || files.length < 4 || last.at - first.at < 300) return null;
    return files.slice(1).reduce((sum, file) => sum + file.bytes, 0) / (last.at - first.at);
  };
  return {
    wasRead(bytes) {
      const at = now();
      if (at - (files.at(-1)?.at ?? at) > pauseMs) files = [];
      files.push({ at, bytes });
      if (files.length > filesKept) files.shift();
    },
    wasEmbedded(chunks, ms) {
      if (ms <= 0) return;
      const rate = chunks / ms;
      chunksPerMs = chunksPerMs === null ? rate : chunksPerMs * keep + rate * (1 - keep);
    },
    etaSeconds({ bytes, chunks, chunksPerByte }) {
      const chunksLeft = chunks + bytes * chunksPerByte;
      if (bytes <= 0 && chunksLeft <= 0) return null;
      const readRate = bytes > 0 ? bytesPerMs() : 1;
      if (readRate === null || readRate <= 0 || (chunksLeft > 0 && chunksPerMs === null)) return null;
      const ms = bytes / readRate + (chunksPerMs === null ? 0 : chunksLeft / chunksPerMs);
      return Math.round(ms / 100) / 10;
    },
  };
}
