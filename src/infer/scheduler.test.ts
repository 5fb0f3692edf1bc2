import { expect, test } from "vitest";
import { PageStore } from "./page-store.ts";
import { Scheduler } from "./scheduler.ts";
import type { StepInput } from "./step-programs.ts";

const vocabulary = 7;
type Settings = { readonly sequences?: number; readonly mostRows?: number };

/** A model whose next token depends on everything before it and is read from the pages alone, as attention reads them. */
function sumModel({ sequences = 3, mostRows = 8 }: Settings = {}) {
  const [pageRows, pagesEach] = [4, 8];
  const pages = pagesEach * (sequences + 1);
  const cache = new Int32Array(pages * pageRows).fill(-1);
  const steps: StepInput[] = [];
  const scheduler = new Scheduler({
    sequences,
    pages,
    pageRows,
    pagesEach,
    vocabulary,
    mostRows,
    between: () => {},
    run: async (step) => {
      steps.push(step);
      await new Promise((resolve) => setImmediate(resolve)); // as a device: others may act meanwhile
      step.ids.forEach((id, i) => {
        cache[step.slots[i]!] = id;
      });
      const logits = new Float32Array(step.rows.length * vocabulary);
      step.rows.forEach((row, r) => {
        for (let s = 0; s < sequences; s++) {
          const [start, count, length] = step.sequences.subarray(s * 3, s * 3 + 3) as unknown as [number, number, number];
          if (row < start || row >= start + count) continue;
          let sum = 0;
          for (let p = 0; p < length - (start + count - 1 - row); p++) {
            const page = step.pages[s * pagesEach + Math.floor(p / pageRows)]!;
            sum = (sum * 3 + cache[page * pageRows + (p % pageRows)]! + 1) % vocabulary;
          }
          logits[r * vocabulary + sum] = 1;
        }
      });
      return logits;
    },
  });
  const generate = async (prompt: readonly number[], count: number, more: { root?: string; shared?: boolean; signal?: AbortSignal } = {}) => {
    const found: number[] = [];
    let cached = 0;
    await scheduler.submit({
      prompt,
      mostTokens: prompt.length + count,
      root: more.root ?? "base",
      group: () => -1,
      shared: more.shared ?? true,
      signal: more.signal ?? new AbortController().signal,
      onProgress: (work) => {
        if (work.cached >= 0) cached = work.cached;
      },
      choose: (logits) => {
        const next = logits.indexOf(1);
        found.push(next);
        return found.length === count ? null : next;
      },
    });
    return { found, cached };
  };
  return { scheduler, generate, steps };
}

/** The same, without pages. */
function expected(prompt: readonly number[], count: number): number[] {
  const tokens = [...prompt];
  for (let i = 0; i < count; i++) tokens.push(tokens.reduce((sum, token) => (sum * 3 + token + 1) % vocabulary, 0));
  return tokens.slice(prompt.length);
}

test("many answers of different lengths in shared steps are each what they are alone", async () => {
  const { generate, scheduler, steps } = sumModel();
  const prompts = Array.from({ length: 9 }, (_, i) => Array.from({ length: 1 + ((i * 5) % 17) }, (_, j) => (i + j * 2) % vocabulary));
  const answers = await Promise.all(prompts.map((prompt, i) => generate(prompt, 1 + i)));
  answers.forEach(({ found }, i) => expect(found).toEqual(expected(prompts[i]!, 1 + i)));
  expect(steps.every(({ ids }) => ids.length <= 8)).toBe(true);
  expect(steps.some(({ sequences }) => sequences[1]! > 1 || (sequences[1] === 1 && sequences[4]! > 1))).toBe(true); // prompts and answers mixed
  expect(scheduler.idle).toBe(true);
});

test("a prompt that begins like an earlier one begins from its pages, of the same adapter only, and not when asked for the same bits", async () => {
  const { generate } = sumModel();
  const prompt = [1, 2, 3, 4, 5, 6, 0, 1, 2, 3];
  expect((await generate(prompt, 3)).cached).toBe(0);
  const again = await generate([...prompt.slice(0, 9), 5], 3);
  expect(again).toEqual({ found: expected([...prompt.slice(0, 9), 5], 3), cached: 8 });
  expect((await generate(prompt, 3, { root: "adapter" })).cached).toBe(0);
  expect((await generate(prompt, 3, { shared: false })).cached).toBe(0);
  expect((await generate([...prompt.slice(0, 3), 6, ...prompt.slice(4)], 3)).cached).toBe(0); // another first page: nothing below it counts
});

test("cancelled ones leave between steps and give their pages back; others go on", async () => {
  const { generate, scheduler } = sumModel();
  const free = scheduler.freePages;
  const leaving = new AbortController();
  const long = generate([1, 2], 30, { signal: leaving.signal, shared: false });
  const other = generate([3], 20);
  setTimeout(() => leaving.abort(new Error("gone")), 0);
  await expect(long).rejects.toThrowError("gone");
  expect((await other).found).toEqual(expected([3], 20));
  await expect(generate([1], 2, { signal: AbortSignal.abort(new Error("never")) })).rejects.toThrowError("never");
  expect(scheduler.freePages).toBe(free);
});

test("a step that fails ends those in it, and the next go on", async () => {
  const { generate, scheduler } = sumModel();
  const prompt = Array.from({ length: 31 }, () => 1);
  const failing = scheduler.submit({
    prompt,
    mostTokens: 32,
    root: "base",
    group: () => -1,
    shared: true,
    signal: new AbortController().signal,
    onProgress: () => {},
    choose: () => {
      throw new Error("cannot choose");
    },
  });
  await expect(failing).rejects.toThrowError("cannot choose");
  expect((await generate([2, 4], 3)).found).toEqual(expected([2, 4], 3));
});

test("pages: the longest unused go first, those that are read never", () => {
  const store = new PageStore(3, 2);
  const take = (): number => store.take()!;
  const first = [take()];
  store.release("base", [1, 2], 2, first, true);
  const second = [take()];
  store.release("base", [3, 4], 2, second, true);
  expect(store.find("base", [1, 2, 9], 2)).toEqual(first); // now read, and used last
  expect([take(), take()].sort()).toEqual([0, 1, 2].filter((page) => page !== first[0]));
  expect(store.take()).toBeNull();
  expect(store.find("base", [3, 4, 9], 2)).toEqual([]);
});
