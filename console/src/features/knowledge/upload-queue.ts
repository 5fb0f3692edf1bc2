/** @file Files on their way to the box: three at a time, with progress by bytes; outlives the page it was started from. */
import { useSyncExternalStore } from "react";
import { client, queryClient } from "../../api/client.ts";
import type { ErrorLike } from "../../ui/error-card.tsx";

export type Upload = {
  readonly id: number;
  readonly kbId: string;
  readonly path: string;
  readonly file: File;
  readonly sent: number;
  readonly state: "waiting" | "sending" | "done" | "unchanged" | "failed" | "cancelled";
  readonly error: ErrorLike | null;
};

const parallel = 3;
let uploads: readonly Upload[] = [];
let nextId = 1;
const running = new Map<number, XMLHttpRequest>();
const listeners = new Set<() => void>();

function set(next: readonly Upload[]): void {
  uploads = next;
  for (const listener of listeners) listener();
}
function patch(id: number, change: Partial<Upload>): void {
  set(uploads.map((upload) => (upload.id === id ? { ...upload, ...change } : upload)));
}

export function useUploads(kbId: string): readonly Upload[] {
  const all = useSyncExternalStore(
    (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    () => uploads,
  );
  return all.filter((upload) => upload.kbId === kbId);
}

export type PickedFile = { readonly path: string; readonly file: File };

export function addUploads(kbId: string, files: readonly PickedFile[]): void {
  set([...uploads, ...files.map(({ path, file }) => ({ id: nextId++, kbId, path, file, sent: 0, state: "waiting" as const, error: null }))]);
  pump();
}
export function retryUpload(id: number): void {
  patch(id, { state: "waiting", sent: 0, error: null });
  pump();
}
export function cancelUploads(kbId: string): void {
  set(uploads.map((upload) => (upload.kbId === kbId && upload.state === "waiting" ? { ...upload, state: "cancelled" as const } : upload)));
  for (const upload of uploads) if (upload.kbId === kbId) running.get(upload.id)?.abort();
}
export function clearUploads(kbId: string): void {
  set(uploads.filter((upload) => upload.kbId !== kbId || upload.state === "waiting" || upload.state === "sending"));
}

function pump(): void {
  while (running.size < parallel) {
    const next = uploads.find((upload) => upload.state === "waiting");
    if (next === undefined) return;
    send(next);
  }
}

/** XMLHttpRequest, because fetch tells nothing about bytes sent. */
function send(upload: Upload): void {
  const request = new XMLHttpRequest();
  running.set(upload.id, request);
  patch(upload.id, { state: "sending" });
  const end = (change: Partial<Upload>) => {
    running.delete(upload.id);
    patch(upload.id, change);
    void queryClient.invalidateQueries({ queryKey: ["documents", upload.kbId] });
    void queryClient.invalidateQueries({ queryKey: ["bases"] });
    pump();
  };
  let painted = 0;
  request.upload.onprogress = (event) => {
    if (event.timeStamp - painted < 100) return;
    painted = event.timeStamp;
    patch(upload.id, { sent: event.loaded });
  };
  request.onload = () => {
    const answer = readAnswer(request);
    if (request.status >= 200 && request.status < 300) end({ state: answer.changed === false ? "unchanged" : "done", sent: upload.file.size });
    else end({ state: "failed", error: answer.error ?? { code: "internal", message: `HTTP ${request.status}` } });
  };
  request.onabort = () => end({ state: "cancelled" });
  request.onerror = () =>
    end({
      state: "failed",
      error: {
        code: "box_unreachable",
        message: "The connection broke off.",
        hint: "Check that the box runs, then retry.",
        zh: { message: "连接中断了。", hint: "请确认星匣正在运行，然后重试。" },
      },
    });
  request.open("PUT", client.knowledge.addFileUrl(upload.kbId, upload.path));
  request.setRequestHeader("content-type", "application/octet-stream");
  request.send(upload.file);
}

function readAnswer(request: XMLHttpRequest): { readonly changed?: boolean; readonly error?: ErrorLike } {
  try {
    return JSON.parse(request.responseText) as { changed?: boolean; error?: ErrorLike };
  } catch {
    return {};
  }
}
