/** @file JSON Schema as people write it, turned into the part the engine's grammars can enforce. What cannot be enforced is refused by name, never ignored. */
import { StarboxError } from "#base";

type JsonSchema = Readonly<Record<string, unknown>>;
type ToolDefinition = { readonly name: string; readonly parameters?: JsonSchema };
type ToolChoice = "auto" | "none" | "required" | { readonly name: string };

const enforced = new Set([
  "type",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "prefixItems",
  "minItems",
  "maxItems",
  "minLength",
  "maxLength",
  "format",
  "enum",
  "const",
  "oneOf",
  "anyOf",
  "$ref",
  "$defs",
  "definitions",
  "minProperties",
  "maxProperties",
]);
const harmless = new Set([
  "title",
  "description",
  "default",
  "examples",
  "$schema",
  "$id",
  "$comment",
  "deprecated",
  "readOnly",
  "writeOnly",
  "strict",
  "nullable",
]);
const formats = new Set(["date", "time", "date-time"]);

function refuse(keyword: string, at: string): StarboxError {
  return new StarboxError("unsupported", `JSON Schema: "${keyword}" at ${at} cannot be enforced by this engine.`, {
    hint: `It enforces ${[...enforced].join(", ")}.`,
    zh: { message: `JSON Schema：此引擎无法强制执行 ${at} 处的“${keyword}”。` },
    details: { keyword, path: at },
  });
}

type Plain = Record<string, unknown>;
const isObject = (value: unknown): value is Plain => typeof value === "object" && value !== null && !Array.isArray(value);

/** The engine's dialect: `anyOf` is `oneOf`, one `type` or a list, references as `#/$defs/x`. */
export function toGrammarSchema(schema: JsonSchema, at = "#"): Plain {
  const out: Plain = {};
  for (const [key, value] of Object.entries(schema)) {
    if (harmless.has(key)) continue;
    if (!enforced.has(key)) throw refuse(key, at);
    if (key === "properties" && isObject(value))
      out["properties"] = Object.fromEntries(
        Object.entries(value).map(([name, child]) => [name, toGrammarSchema(child as JsonSchema, `${at}/properties/${name}`)]),
      );
    else if ((key === "$defs" || key === "definitions") && isObject(value))
      out["$defs"] = Object.fromEntries(
        Object.entries(value).map(([name, child]) => [name, toGrammarSchema(child as JsonSchema, `${at}/${key}/${name}`)]),
      );
    else if ((key === "oneOf" || key === "anyOf") && Array.isArray(value))
      out["oneOf"] = value.map((child, i) => toGrammarSchema(child as JsonSchema, `${at}/${key}/${i}`));
    else if (key === "items" && isObject(value)) out["items"] = toGrammarSchema(value, `${at}/items`);
    else if (key === "prefixItems" && Array.isArray(value))
      out["prefixItems"] = value.map((child, i) => toGrammarSchema(child as JsonSchema, `${at}/prefixItems/${i}`));
    else if (key === "additionalProperties") out[key] = isObject(value) ? toGrammarSchema(value, `${at}/additionalProperties`) : value;
    else if (key === "$ref") out[key] = String(value).replace("#/definitions/", "#/$defs/");
    else if (key === "format") {
      if (formats.has(String(value))) out[key] = value; // other formats are annotations in JSON Schema
    } else out[key] = value;
  }
  const types = out["type"];
  if (Array.isArray(types) && types.some((type) => type === "object" || type === "array")) {
    return { oneOf: types.map((type) => toGrammarSchema({ ...schema, type }, at)) };
  }
  if (out["type"] === undefined && out["properties"] !== undefined) out["type"] = "object";
  if (out["type"] === undefined && out["items"] !== undefined) out["type"] = "array";
  if (out["type"] === "object" && out["properties"] !== undefined && schema["additionalProperties"] === undefined)
    out["additionalProperties"] = false;
  return out;
}

/** The calls that a `required` or named choice allows, as one schema. */
export function toolCallSchema(tools: readonly ToolDefinition[], choice: ToolChoice): Plain {
  const wanted = typeof choice === "object" ? tools.filter((tool) => tool.name === choice.name) : tools;
  if (wanted.length === 0) {
    throw new StarboxError(
      "invalid_input",
      typeof choice === "object"
        ? `tool_choice names "${choice.name}", which is not among the tools.`
        : "tool_choice is required, but there are no tools.",
      { zh: { message: "tool_choice 指定的工具不在 tools 之中。" } },
    );
  }
  const calls = wanted.map((tool) => ({
    type: "object",
    properties: {
      name: { const: tool.name },
      arguments:
        tool.parameters === undefined || Object.keys(tool.parameters).length === 0
          ? { type: "object", additionalProperties: true }
          : toGrammarSchema(tool.parameters, `#/tools/${tool.name}`),
    },
  }));
  return calls.length === 1 && calls[0] !== undefined ? calls[0] : { oneOf: calls };
}
