/** @file Names of works as texts cite them and as documents carry them, made comparable. */

/** "《中华人民共和国劳动合同法（2012年修正）》" and a document titled "劳动合同法" are one work. */
export function citationKey(title: string): string {
  return title
    .normalize("NFKC")
    .toLowerCase()
    .replace(/\([^()]*\)|\[[^[\]]*\]|【[^【】]*】/g, "")
    .replace(/[\s《》〈〉"'“”·_-]+/g, "")
    .replace(/^中华人民共和国/, "");
}

/** Works a text names, each once. */
export function findCitations(text: string): ReadonlySet<string> {
  const names = new Set<string>();
  if (!text.includes("《")) return names;
  for (const [, name] of text.matchAll(/《([^《》\n]{2,60})》/g)) {
    const key = citationKey(name as string);
    if (key.length >= 2) names.add(key);
  }
  return names;
}
