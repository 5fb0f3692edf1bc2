import { expect, test } from "vitest";
import { StarboxError } from "#base";
import { toGrammarSchema, toolCallSchema } from "./json-grammar.ts";

test("anyOf, definitions and annotations are brought into the engine's dialect", () => {
  expect(
    toGrammarSchema({
      title: "T",
      type: "object",
      properties: { a: { anyOf: [{ type: "string" }, { $ref: "#/definitions/b" }] } },
      required: ["a"],
      definitions: { b: { type: "integer", description: "n" } },
    }),
  ).toEqual({
    type: "object",
    properties: { a: { oneOf: [{ type: "string" }, { $ref: "#/$defs/b" }] } },
    required: ["a"],
    $defs: { b: { type: "integer" } },
    additionalProperties: false,
  });
});

test("what cannot be enforced is refused with its place", () => {
  const attempt = (): unknown => toGrammarSchema({ type: "object", properties: { n: { type: "string", pattern: "^a" } } });
  expect(attempt).toThrowError(/"pattern" at #\/properties\/n/);
  try {
    attempt();
  } catch (error) {
    expect(StarboxError.is(error, "unsupported")).toBe(true);
  }
});

test("type lists with objects become alternatives", () => {
  expect(toGrammarSchema({ type: ["object", "null"], properties: { a: { type: "string" } } })).toMatchObject({
    oneOf: [{ type: "object" }, { type: "null" }],
  });
});

test("a named choice must be among the tools", () => {
  expect(() => toolCallSchema([{ name: "a" }], { name: "b" })).toThrowError(/"b"/);
  expect(toolCallSchema([{ name: "a" }, { name: "b" }], { name: "b" })).toMatchObject({ properties: { name: { const: "b" } } });
});
