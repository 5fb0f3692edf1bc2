/** @file A streaming XML reader for Office parts: names without prefix matter, entities other than the five built-in ones stay unexpanded. */
import { Parser } from "htmlparser2";
import { corruptError } from "./limits.ts";

export type XmlHandlers = {
  readonly open?: (name: string, attributes: Record<string, string>) => void;
  readonly close?: (name: string) => void;
  readonly text?: (text: string) => void;
};

const maxDepth = 2000;

export function readXml(xml: string, handlers: XmlHandlers): void {
  let depth = 0;
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (++depth > maxDepth) throw corruptError(`XML nested deeper than ${maxDepth}`, `XML 嵌套超过 ${maxDepth} 层`);
        handlers.open?.(name, attributes);
      },
      onclosetag(name) {
        depth--;
        handlers.close?.(name);
      },
      ontext(text) {
        handlers.text?.(text);
      },
    },
    { xmlMode: true, decodeEntities: true },
  );
  for (let at = 0; at < xml.length; at += 1 << 16) parser.write(xml.slice(at, at + (1 << 16)));
  parser.end();
}

/** Relationship id -> target, resolved against the folder of the part that owns them. External targets are never followed. */
export function readRelations(xml: string | null, folder: string): Map<string, { target: string; type: string }> {
  const relations = new Map<string, { target: string; type: string }>();
  if (xml === null) return relations;
  readXml(xml, {
    open(name, a) {
      if (name !== "Relationship" || a.TargetMode === "External" || a.Id === undefined || a.Target === undefined) return;
      relations.set(a.Id, { target: resolvePart(folder, a.Target), type: (a.Type ?? "").split("/").at(-1) ?? "" });
    },
  });
  return relations;
}

export function resolvePart(folder: string, target: string): string {
  const parts = target.startsWith("/") ? [] : folder.split("/").filter((part) => part !== "");
  for (const part of target.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}
