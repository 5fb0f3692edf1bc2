import { expect, test } from "vitest";
import { TextGate } from "./text-gate.ts";

function run(pieces: readonly string[], options: { stops?: string[]; tools?: string[] } = {}) {
  const gate = new TextGate({ stops: options.stops ?? [], tools: new Set(options.tools ?? []) });
  const texts: string[] = [];
  const calls: { name: string; arguments: string }[] = [];
  for (const piece of [...pieces, null]) {
    const gated = piece === null ? gate.finish() : gate.push(piece);
    if (gated.text !== "") texts.push(gated.text);
    calls.push(...gated.calls.map(({ name, arguments: args }) => ({ name, arguments: args })));
    if (gated.stopped) return { text: texts.join(""), texts, calls, stopped: true };
  }
  return { text: texts.join(""), texts, calls, stopped: false };
}

test("a stop string is found across pieces and never shown, not even in part", () => {
  expect(run(["one ST", "O", "P two"], { stops: ["STOP"] })).toMatchObject({ text: "one ", stopped: true });
  expect(run(["one ST", "O", "NE"], { stops: ["STOP"] })).toMatchObject({ text: "one STONE", stopped: false });
});

test("the earliest of several stop strings wins", () => {
  expect(run(["a，b。c"], { stops: ["。", "，"] }).text).toBe("a");
});

test("text without stops is passed on at once", () => {
  expect(run(["你", "好"]).texts).toEqual(["你", "好"]);
});

test("a marked tool call is taken out of the text", () => {
  const result = run(["Let me look.\n<tool", '_call>\n{"name": "find", "argum', 'ents": {"q": "星"}}\n</tool_', "call>"], { tools: ["find"] });
  expect(result.text).toBe("Let me look.\n");
  expect(result.calls).toEqual([{ name: "find", arguments: '{"q":"星"}' }]);
});

test("two calls, the second without its closing mark", () => {
  const result = run(['<tool_call>{"name":"a","arguments":{}}</tool_call>\n<tool_call>{"name":"b","arguments":{"x":1}}'], { tools: ["a", "b"] });
  expect(result.calls.map((call) => call.name)).toEqual(["a", "b"]);
  expect(result.text).toBe("");
});

test("a bare JSON call, also in a fence, counts as a call", () => {
  expect(run(['{"na', 'me": "find", "arguments": {"q": 1}}'], { tools: ["find"] }).calls).toHaveLength(1);
  expect(run(["```json\n", '{"name": "find", "arguments": {}}', "\n```"], { tools: ["find"] })).toMatchObject({
    text: "",
    calls: [{ name: "find" }],
  });
});

test("JSON that names no known tool stays text, and so does text about tools when none are given", () => {
  const json = '{"name": "other", "arguments": {}}';
  expect(run([json], { tools: ["find"] })).toMatchObject({ text: json, calls: [] });
  expect(run(["<tool_call>x</tool_call>"])).toMatchObject({ text: "<tool_call>x</tool_call>", calls: [] });
});

test("a stop string inside what looked like a bare call still stops", () => {
  expect(run(['{"name": "other" STOP'], { tools: ["find"], stops: ["STOP"] })).toMatchObject({ text: '{"name": "other" ', stopped: true });
});

test("bare calls, one a line, the last cut off: the whole ones count", () => {
  const call = '{"name": "find", "arguments": {"q": 1}}';
  expect(run([`${call}\n${call}\n{"name": "fi`], { tools: ["find"] })).toMatchObject({ text: "", calls: [{ name: "find" }, { name: "find" }] });
  expect(run([`${call}\nand then I`], { tools: ["find"] }).calls).toEqual([]);
});
