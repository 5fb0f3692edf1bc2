/** @file jieba's dictionary as a trie in flat arrays: every character of every document asks it, so it must answer in nanoseconds. */

/** A place in the trie; 0 is "nowhere". */
export type Node = number;

/** 256 KiB: stays in the cache of a core. */
const filterBits = 21;

export type Dictionary = {
  /** Where the one character leads from the start. */
  first(char: number): Node;
  next(node: Node, char: number): Node;
  /** Natural logarithm of the word's share of all words; NaN where only the beginning of a word ends. */
  readonly weights: Float64Array;
  /** Of a character that no word begins with, and of unknown words. */
  readonly unknownWeight: number;
};

/** `lines`: UTF-8, one "word frequency tag" a line. Words outside the basic plane are left out: texts with such characters are cut by the library. */
export function readDictionary(lines: Uint8Array): Dictionary {
  const text = new TextDecoder().decode(lines);
  const trie = createTrie(20);
  const frequencies: number[] = [];
  let total = 0;
  for (let at = 0; at < text.length; ) {
    const wordEnd = text.indexOf(" ", at);
    if (wordEnd < 0) break;
    let node = 0;
    for (let i = at; i < wordEnd; i++) node = trie.add(node, text.charCodeAt(i));
    let frequency = 0;
    let i = wordEnd + 1;
    for (let digit = text.charCodeAt(i) - 48; digit >= 0 && digit <= 9; digit = text.charCodeAt(++i) - 48) frequency = frequency * 10 + digit;
    frequencies[node] = frequency;
    total += frequency;
    const lineEnd = text.indexOf("\n", i);
    at = lineEnd < 0 ? text.length : lineEnd + 1;
  }
  const logTotal = Math.log(total);
  const weights = new Float64Array(trie.size()).fill(Number.NaN);
  frequencies.forEach((frequency, node) => {
    weights[node] = Math.log(frequency) - logTotal;
  });
  return { first: trie.first, next: trie.next, weights, unknownWeight: -logTotal };
}

/**
 * Children in an open-addressed hash table; those of the root, which every character asks for, in a table of their own.
 * One entry is two numbers side by side (parent and character, then child), so that a look costs one line of cache; and a small bit filter
 * in front says of most pairs of characters, which begin no word, that they are not there.
 */
function createTrie(bits: number) {
  const roots = new Int32Array(65_536);
  const filter = new Int32Array(2 ** (filterBits - 5));
  let shift = 32 - bits;
  let mask = 2 ** bits - 1;
  let entries = new Int32Array(2 * (mask + 1));
  let nodes = 1;
  const hashOf = (node: Node, char: number): number => {
    const mixed = Math.imul(node, 0x9e37_79b1) ^ Math.imul(char, 0x85eb_ca6b);
    return Math.imul(mixed ^ (mixed >>> 15), 0xc2b2_ae35);
  };
  const slotOf = (hash: number, node: Node, char: number): number => {
    const key = (node << 12) | (char >>> 4);
    const low = (char & 15) << 28;
    for (let slot = hash >>> shift; ; slot = (slot + 1) & mask) {
      const value = entries[2 * slot + 1] as number;
      if (value === 0 || (entries[2 * slot] === key && ((value ^ low) & 0xf000_0000) === 0)) return slot;
    }
  };
  const put = (node: Node, char: number, child: Node): void => {
    const hash = hashOf(node, char);
    const slot = slotOf(hash, node, char);
    entries[2 * slot] = (node << 12) | (char >>> 4);
    entries[2 * slot + 1] = ((char & 15) << 28) | child;
    filter[(hash >>> (32 - filterBits)) >>> 5]! |= 1 << (hash & 31);
  };
  const next = (node: Node, char: number): Node => {
    const hash = hashOf(node, char);
    if ((((filter[(hash >>> (32 - filterBits)) >>> 5] as number) >>> (hash & 31)) & 1) === 0) return 0;
    return (entries[2 * slotOf(hash, node, char) + 1] as number) & 0x0fff_ffff;
  };
  const grow = (): void => {
    const old = entries;
    shift--;
    mask = mask * 2 + 1;
    entries = new Int32Array(2 * (mask + 1));
    for (let i = 0; i < old.length; i += 2) {
      const [key, value] = [old[i] as number, old[i + 1] as number];
      if (value !== 0) put(key >>> 12, ((key & 0xfff) << 4) | (value >>> 28), value & 0x0fff_ffff);
    }
  };
  return {
    first: (char: number): Node => roots[char] as Node,
    next,
    add(node: Node, char: number): Node {
      const known = node === 0 ? (roots[char] as Node) : next(node, char);
      if (known !== 0) return known;
      if (nodes * 2 > mask) grow();
      const child = nodes++;
      if (node === 0) roots[char] = child;
      else put(node, char, child);
      return child;
    },
    size: () => nodes,
  };
}
