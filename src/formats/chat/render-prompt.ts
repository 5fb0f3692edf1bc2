/** @file A conversation through the model's own chat template. What people wrote can never become a control token. No engine here. */
import { Template } from "@huggingface/jinja";
import { StarboxError } from "#base";

/** Pieces of a prompt: `control` text comes from the template and may hold special tokens, the rest came from people and may not. */
export type PromptPiece = {
  readonly text: string;
  readonly control: boolean /** Whose content this is; null for the template's own text. */;
  readonly message: number | null;
};

type ToolCall = { readonly id: string; readonly name: string; readonly arguments: string };
export type TemplateMessage =
  | { readonly role: "system" | "user"; readonly content: string }
  | { readonly role: "assistant"; readonly content: string; readonly toolCalls?: readonly ToolCall[] }
  | { readonly role: "tool"; readonly content: string; readonly toolCallId: string };

export type TemplateInput = {
  readonly template: string;
  readonly messages: readonly TemplateMessage[];
  readonly tools: readonly { readonly name: string; readonly description?: string; readonly parameters?: Readonly<Record<string, unknown>> }[];
  readonly bosToken: string;
  readonly eosToken: string;
  /** Ends with the beginning of an answer. Default: yes; training renders whole conversations without. */
  readonly addGenerationPrompt?: boolean;
};

/** For models whose file has no template. */
export const fallbackTemplate =
  "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

const open = "\ue0f0"; // private-use characters that survive trimming and JSON quoting
const close = "\ue0f1";
const mark = new RegExp(`${open}(\\d+)${close}`, "g");

function parseArguments(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const templates = new Map<string, Template>();
function compile(source: string): Template {
  let template = templates.get(source);
  if (template === undefined) {
    template = new Template(source);
    templates.set(source, template);
  }
  return template;
}

export function renderPrompt(input: TemplateInput): PromptPiece[] {
  const contents = input.messages.map(({ content }) => content.replaceAll(open, "").replaceAll(close, ""));
  // Templates ask whether there is content at all.
  const hide = (i: number): string => (contents[i] === "" ? "" : `${open}${i}${close}`);
  const messages = input.messages.map((message, i) => {
    if (message.role !== "assistant")
      return { role: message.role, content: hide(i), ...(message.role === "tool" ? { tool_call_id: message.toolCallId } : {}) };
    const calls = message.toolCalls ?? [];
    return {
      role: "assistant",
      content: hide(i),
      ...(calls.length === 0
        ? {}
        : {
            tool_calls: calls.map((call) => ({
              id: call.id,
              type: "function",
              function: { name: call.name, arguments: parseArguments(call.arguments) },
            })),
          }),
    };
  });
  const tools = input.tools.map((tool) => ({
    type: "function",
    function: { name: tool.name, description: tool.description ?? "", parameters: tool.parameters ?? { type: "object", properties: {} } },
  }));
  let rendered: string;
  try {
    rendered = compile(input.template).render({
      messages,
      ...(tools.length === 0 ? {} : { tools }),
      add_generation_prompt: input.addGenerationPrompt ?? true,
      bos_token: input.bosToken,
      eos_token: input.eosToken,
      enable_thinking: false,
    });
  } catch (cause) {
    throw new StarboxError(
      "invalid_input",
      `The model's chat template refuses this conversation: ${cause instanceof Error ? cause.message : String(cause)}.`,
      {
        hint: "Most templates want user and assistant messages in turn, the system message first.",
        cause,
        zh: { message: "模型的对话模板不接受这段对话。", hint: "多数模板要求 system 在最前，user 与 assistant 交替。" },
      },
    );
  }
  // The engine puts the begin-of-text token itself, once.
  if (input.bosToken !== "" && rendered.startsWith(input.bosToken)) rendered = rendered.slice(input.bosToken.length);
  return splitPieces(rendered, contents);
}

function splitPieces(rendered: string, contents: readonly string[]): PromptPiece[] {
  const pieces: PromptPiece[] = [];
  let at = 0;
  for (const match of rendered.matchAll(mark)) {
    if (match.index > at) pieces.push({ text: rendered.slice(at, match.index), control: true, message: null });
    const message = Number(match[1]);
    const text = contents[message] ?? "";
    if (text !== "") pieces.push({ text, control: false, message });
    at = match.index + match[0].length;
  }
  if (at < rendered.length) pieces.push({ text: rendered.slice(at), control: true, message: null });
  return pieces;
}
