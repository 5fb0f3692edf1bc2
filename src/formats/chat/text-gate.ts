/** @file Between tokens and the reader: holds back half stop strings and half tool calls, and finds whole ones. Pure text. */
import { randomBytes } from "node:crypto";

type ToolCall = { readonly id: string; readonly name: string; readonly arguments: string };

export type Gated = { readonly text: string; readonly calls: readonly ToolCall[]; readonly stopped: boolean };

const toolOpen = "<tool_call>";
const toolClose = "</tool_call>";

export const newCallId = (): string => `call_${randomBytes(12).toString("hex")}`;

/** Length of the longest end of `text` that begins one of `marks`. */
function heldBack(text: string, marks: readonly string[]): number {
  let longest = 0;
  for (const mark of marks) {
    for (let size = Math.min(mark.length - 1, text.length); size > longest; size--) {
      if (mark.startsWith(text.slice(text.length - size))) {
        longest = size;
        break;
      }
    }
  }
  return longest;
}

/** `{"name": …, "arguments": …}` as small models write it; null where it is not one of the known tools. */
export function parseToolCall(text: string, known: ReadonlySet<string>): ToolCall | null {
  let value: unknown;
  try {
    value = JSON.parse(text.trim());
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { name, arguments: given, parameters } = value as { name?: unknown; arguments?: unknown; parameters?: unknown };
  if (typeof name !== "string" || !known.has(name)) return null;
  const args = given ?? parameters ?? {};
  return { id: newCallId(), name, arguments: typeof args === "string" ? args : JSON.stringify(args) };
}

/** Calls that a model writes without the marks its template asks for (small coder models do): one JSON object, or one a line, perhaps in a code fence. */
function parseBareCalls(text: string, known: ReadonlySet<string>): ToolCall[] {
  const inner = text
    .trim()
    .replace(/^```(?:json)?\s*/, "")
    .replace(/\s*```$/, "");
  const whole = parseToolCall(inner, known);
  if (whole !== null) return [whole];
  const calls: ToolCall[] = [];
  for (const line of inner.split(/\n+/)) {
    const call = parseToolCall(line, known);
    if (call !== null) calls.push(call);
    else if (calls.length > 0 && line.startsWith("{"))
      break; // cut off in the middle of one more
    else return [];
  }
  return calls;
}

const bareBeginnings = ['{"name":', '```json{"name":', '```{"name":'];

/** Whether a reply that begins like this may still turn out to be a bare call. */
function mayBeBareCall(text: string): boolean {
  const packed = text.replace(/\s+/g, "");
  return bareBeginnings.some((beginning) => (packed.length < beginning.length ? beginning.startsWith(packed) : packed.startsWith(beginning)));
}

export class TextGate {
  #pending = "";
  /** The whole reply so far, while it may be a bare call; null once it is known to be text. */
  #bare: string | null;
  #insideCall = false;
  readonly #stops: readonly string[];
  readonly #tools: ReadonlySet<string>;

  constructor(options: { readonly stops: readonly string[]; readonly tools: ReadonlySet<string> }) {
    this.#stops = options.stops.filter((stop) => stop !== "");
    this.#tools = options.tools;
    this.#bare = options.tools.size > 0 ? "" : null;
  }

  push(text: string): Gated {
    let arrived = text;
    if (this.#bare !== null) {
      this.#bare += text;
      if (mayBeBareCall(this.#bare)) return { text: "", calls: [], stopped: false };
      arrived = this.#bare;
      this.#bare = null;
    }
    return this.#pass(arrived);
  }

  #pass(text: string): Gated {
    this.#pending += text;
    const calls: ToolCall[] = [];
    let out = "";
    for (;;) {
      if (this.#insideCall) {
        const end = this.#pending.indexOf(toolClose);
        if (end < 0) return { text: out, calls, stopped: false };
        const inner = this.#pending.slice(0, end);
        this.#pending = this.#pending.slice(end + toolClose.length);
        this.#insideCall = false;
        const call = parseToolCall(inner, this.#tools);
        if (call === null) out += `${toolOpen}${inner}${toolClose}`;
        else {
          calls.push(call);
          this.#pending = this.#pending.trimStart();
        }
        continue;
      }
      const stopAt = Math.min(...this.#stops.map((stop) => this.#pending.indexOf(stop)).filter((at) => at >= 0), Number.POSITIVE_INFINITY);
      const callAt = this.#tools.size > 0 ? this.#pending.indexOf(toolOpen) : -1;
      if (callAt >= 0 && callAt < stopAt) {
        out += this.#pending.slice(0, callAt);
        this.#pending = this.#pending.slice(callAt + toolOpen.length);
        this.#insideCall = true;
        continue;
      }
      if (Number.isFinite(stopAt)) {
        out += this.#pending.slice(0, stopAt);
        this.#pending = "";
        return { text: out, calls, stopped: true };
      }
      const keep = heldBack(this.#pending, this.#tools.size > 0 ? [...this.#stops, toolOpen] : this.#stops);
      out += this.#pending.slice(0, this.#pending.length - keep);
      this.#pending = this.#pending.slice(this.#pending.length - keep);
      return { text: out, calls, stopped: false };
    }
  }

  /** The end of generation: what was held back was text after all, or a call whose closing mark is missing. */
  finish(): Gated {
    if (this.#bare !== null) {
      const calls = parseBareCalls(this.#bare, this.#tools);
      if (calls.length > 0) return { text: "", calls, stopped: false };
      const passed = this.#pass(this.#bare);
      this.#bare = null;
      if (passed.stopped) return passed;
      const end = this.finish();
      return { text: passed.text + end.text, calls: [...passed.calls, ...end.calls], stopped: false };
    }
    const rest = this.#pending;
    this.#pending = "";
    if (!this.#insideCall) return { text: rest, calls: [], stopped: false };
    const call = parseToolCall(rest, this.#tools);
    return call === null ? { text: `${toolOpen}${rest}`, calls: [], stopped: false } : { text: "", calls: [call], stopped: false };
  }
}
