/**
 * @file Runs of ideographs to words for searching: what jieba's `cutForSearch` gives, token for token, several times as fast.
 * The library's native call costs more in crossing over than in cutting. The dictionary and the model of unknown words stay the library's own.
 */
import { Jieba } from "@node-rs/jieba";
import { dict } from "@node-rs/jieba/dict.js";
import { type Dictionary, type Node, readDictionary } from "./dictionary.ts";
import { stopWords } from "./stop-words.ts";

type Words = Dictionary & { /** 1 at the ends of stop words. */ readonly isStop: Uint8Array };

let loaded: Words | undefined;
/** Knows no word: everything is unknown to it, and cut by its hidden Markov model. */
let unknownWords: Jieba | undefined;
/** For the few texts with characters outside the common ideographs. */
let library: Jieba | undefined;

const common = /^[\u4e00-\u9fff]*$/;

/** Adds the words of `run`, a run of at least two ideographs, in reading order: short words inside a long one before it. */
export function cutHan(run: string, tokens: string[], keepStopWords: boolean): void {
  if (!common.test(run)) {
    library ??= Jieba.withDict(dict);
    for (const word of library.cutForSearch(run, true)) if (keepStopWords || !stopWords.has(word)) tokens.push(word);
    return;
  }
  const words = (loaded ??= load());
  const ends = bestEnds(run, words);
  let unknownFrom = -1;
  for (let at = 0; at < run.length; ) {
    const end = ends[at] as number;
    if (end - at === 1) {
      if (unknownFrom < 0) unknownFrom = at;
    } else {
      if (unknownFrom >= 0) cutUnknown(run, unknownFrom, at, words, tokens, keepStopWords);
      unknownFrom = -1;
      addWithInner(run, at, end, words, tokens, keepStopWords);
    }
    at = end;
  }
  if (unknownFrom >= 0) cutUnknown(run, unknownFrom, run.length, words, tokens, keepStopWords);
}

function load(): Words {
  const dictionary = readDictionary(dict);
  const isStop = new Uint8Array(dictionary.weights.length);
  for (const word of stopWords) isStop[find(word, 0, word.length, dictionary)] = 1;
  isStop[0] = 0;
  return { ...dictionary, isStop };
}

let weightsFrom = new Float64Array(1024);
let endsFrom = new Int32Array(1024);

/** For each position where the word of the most probable cut that begins there ends; of equals the longer one. */
function bestEnds(run: string, { first, next, weights, unknownWeight }: Words): Int32Array {
  const length = run.length;
  if (length >= weightsFrom.length) {
    weightsFrom = new Float64Array(length * 2);
    endsFrom = new Int32Array(length * 2);
  }
  weightsFrom[length] = 0;
  for (let at = length - 1; at >= 0; at--) {
    let node = first(run.charCodeAt(at));
    const own = node === 0 ? Number.NaN : (weights[node] as number);
    let best = (Number.isNaN(own) ? unknownWeight : own) + (weightsFrom[at + 1] as number);
    let bestEnd = at + 1;
    for (let end = at + 1; node !== 0 && end < length; ) {
      node = next(node, run.charCodeAt(end));
      end++;
      if (node === 0) break;
      const weight = (weights[node] as number) + (weightsFrom[end] as number);
      if (weight >= best) {
        best = weight;
        bestEnd = end;
      }
    }
    weightsFrom[at] = best;
    endsFrom[at] = bestEnd;
  }
  return endsFrom;
}

/** Where the word ends in the dictionary; 0: it is not in it. */
function find(text: string, from: number, end: number, { first, next, weights }: Dictionary): Node {
  let node = first(text.charCodeAt(from));
  for (let i = from + 1; node !== 0 && i < end; i++) node = next(node, text.charCodeAt(i));
  return node === 0 || Number.isNaN(weights[node] as number) ? 0 : node;
}

/** The same few occur again and again, and each call to the library has its price. */
const known = new Map<string, string[]>();
const mostKnown = 20_000;

/** Single characters in a row may be a word the dictionary does not have. */
function cutUnknown(text: string, from: number, end: number, words: Words, tokens: string[], keepStopWords: boolean): void {
  if (end - from === 1) {
    if (keepStopWords || words.isStop[words.first(text.charCodeAt(from))] === 0) tokens.push(text[from] as string);
    return;
  }
  const run = text.slice(from, end);
  let cut = known.get(run);
  if (cut === undefined) {
    cut = [];
    if (find(run, 0, run.length, words) !== 0) cut.push(...run);
    else {
      unknownWords ??= new Jieba();
      for (const word of unknownWords.cut(run, true)) addWithInner(word, 0, word.length, words, cut, true);
    }
    if (known.size >= mostKnown) known.clear();
    known.set(run, cut);
  }
  for (const word of cut) if (keepStopWords || !stopWords.has(word)) tokens.push(word);
}

/** A word, and before it the words of two and three characters inside it. */
function addWithInner(text: string, from: number, end: number, words: Words, tokens: string[], keepStopWords: boolean): void {
  for (let size = 2; size <= 3 && size < end - from; size++)
    for (let at = from; at + size <= end; at++) addKnown(find(text, at, at + size, words), text, at, at + size, words, tokens, keepStopWords);
  if (keepStopWords || words.isStop[find(text, from, end, words)] === 0) tokens.push(text.slice(from, end));
}

function addKnown(node: Node, text: string, from: number, end: number, { isStop }: Words, tokens: string[], keepStopWords: boolean): void {
  if (node !== 0 && (keepStopWords || isStop[node] === 0)) tokens.push(text.slice(from, end));
}
