import { expect, test } from "vitest";
import { greedy, logTotal, Sampler, topTokens } from "./sampler.ts";

const logits = (): Float32Array => Float32Array.of(1, 3, 2, -1, 0.5);
const probabilities = (values: Float32Array, temperature = 1): number[] => {
  const weights = [...values].map((value) => Math.exp(value / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
};
function frequencies(settings: Partial<typeof greedy>, draws = 4000): number[] {
  const counts = new Array<number>(5).fill(0);
  const sampler = new Sampler({ ...greedy, temperature: 1, seed: 11, ...settings }, []);
  for (let i = 0; i < draws; i++) counts[sampler.choose(logits())]!++;
  return counts.map((count) => count / draws);
}

test("temperature 0 takes the likeliest; above, tokens come as often as their probabilities say", () => {
  expect(new Sampler(greedy, []).choose(logits())).toBe(1);
  for (const temperature of [1, 0.5, 2]) {
    const expected = probabilities(logits(), temperature);
    frequencies({ temperature }).forEach((share, i) => expect(Math.abs(share - expected[i]!)).toBeLessThan(0.03));
  }
});

test("the same seed draws the same, another does not", () => {
  const draw = (seed: number): number[] => {
    const sampler = new Sampler({ ...greedy, temperature: 1, seed }, []);
    return Array.from({ length: 30 }, () => sampler.choose(logits()));
  };
  expect(draw(5)).toEqual(draw(5));
  expect(draw(5)).not.toEqual(draw(6));
});

test("top-k, top-p and min-p leave out the unlikely and keep the shares of the rest", () => {
  const [, second] = [...probabilities(logits())].sort((a, b) => b - a);
  expect(frequencies({ topK: 2 }).map((share) => share > 0)).toEqual([false, true, true, false, false]);
  expect(frequencies({ topK: 1 })[1]).toBe(1);
  expect(frequencies({ topP: 0.6 })[1]).toBe(1); // 0.63 alone reaches it
  expect(frequencies({ topP: 0.7 }).map((share) => share > 0)).toEqual([false, true, true, false, false]);
  expect(frequencies({ minP: 0.3 }).map((share) => share > 0)).toEqual([false, true, true, false, false]);
  expect(frequencies({ topK: 2 })[2]! - second! / (probabilities(logits())[1]! + second!)).toBeLessThan(0.03);
});

test("bias and penalties change the choice as defined", () => {
  const after = (settings: Partial<typeof greedy>, prompt: readonly number[] = []) => {
    const sampler = new Sampler({ ...greedy, ...settings }, prompt);
    const first = sampler.choose(logits());
    const values = logits();
    return [first, sampler.choose(values), ...values] as const;
  };
  expect(
    after({
      logitBias: new Map([
        [3, 10],
        [99, 5],
      ]),
    })[0],
  ).toBe(3);
  expect(after({ presencePenalty: 1.5 }).slice(0, 2)).toEqual([1, 2]); // 3 − 1.5 < 2
  expect(after({ frequencyPenalty: 0.75 })[3]).toBeCloseTo(2.25);
  expect(after({ repetitionPenalty: 2 }, [1])[0]).toBe(2); // the prompt's tokens count: 3 / 2 < 2
  expect(after({ repetitionPenalty: 2 }, [3])[5]).toBeCloseTo(-2); // negative ones grow away from zero
  expect(after({ presencePenalty: 5 }, [1])[0]).toBe(1); // but not for presence
});

test("nothing left to choose is said, not guessed", () => {
  expect(new Sampler(greedy, []).choose(new Float32Array(4).fill(Number.NEGATIVE_INFINITY))).toBe(-1);
  expect(new Sampler({ ...greedy, temperature: 1 }, []).choose(new Float32Array(4).fill(Number.NEGATIVE_INFINITY))).toBe(-1);
});

test("log-probabilities sum to one, the top ones in order", () => {
  const values = logits();
  const total = logTotal(values);
  expect([...values].reduce((sum, value) => sum + Math.exp(value - total), 0)).toBeCloseTo(1, 6);
  expect(topTokens(values, 3)).toEqual([1, 2, 0]);
  expect(topTokens(values, 9)).toEqual([1, 2, 0, 4, 3]);
  expect(topTokens(values, 0)).toEqual([]);
});
