/** @file The door of `formats`: model files as bytes and values. No engine. */
export { type EncodedPrompt, encodePrompt } from "./chat/encode-prompt.ts";
export { toGrammarSchema, toolCallSchema } from "./chat/json-grammar.ts";
export { fallbackTemplate, type PromptPiece, renderPrompt, type TemplateInput, type TemplateMessage } from "./chat/render-prompt.ts";
export { newCallId, parseToolCall, TextGate } from "./chat/text-gate.ts";
export { writeDurable } from "./durable-file.ts";
export { convertE5s1ToGguf, type E5s1, parseE5s1 } from "./e5s1.ts";
export { GgufFile, type GgufTensorInfo } from "./gguf-file.ts";
export { type GgufHeader, loadGgufHeader } from "./gguf-header.ts";
export { rewriteGguf } from "./gguf-rewrite.ts";
export { widenQ5 } from "./gguf-widen.ts";
export { type GgmlTypeName, type GgufTensor, type GgufValue, writeGguf } from "./gguf-writer.ts";
export {
  decodeSafetensors,
  encodeSafetensors,
  f32Tensor,
  f32Values,
  readSafetensors,
  type Safetensors,
  type SafetensorsTensor,
} from "./safetensors.ts";
export { readFolderJson, type SafetensorsElement, SafetensorsFolder } from "./safetensors-folder.ts";
export { readFolderTokenizer } from "./tokenizer/folder-source.ts";
export type { TokenizerMetadata, TokenizerSource, TokenKind } from "./tokenizer/source.ts";
export { type EncodeOptions, Tokenizer, type TokenStream } from "./tokenizer/tokenizer.ts";
