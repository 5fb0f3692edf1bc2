/** @file What is written down, masked on its way there: chats, answers, open questions. */
import type { AnswerRepository, ChatRepository, GapRepository, GapRow } from "#storage";
import type { Masker } from "./mask.ts";
import { maskAnswer, maskTurn } from "./masked-values.ts";

export type History = { readonly chats: ChatRepository; readonly answers: AnswerRepository; readonly gaps: GapRepository };

export function maskHistory({ chats, answers, gaps }: History, masker: () => Masker | null): History {
  const through = <T>(value: T, change: (value: T, mask: (text: string) => string) => T): T => {
    const found = masker();
    return found === null ? value : change(value, found.mask);
  };
  return {
    chats: {
      ...chats,
      insert: (row) => chats.insert(through(row, (chat, mask) => ({ ...chat, title: mask(chat.title) }))),
      update: (id, patch) =>
        chats.update(
          id,
          through(patch, (chat, mask) => (chat.title === undefined ? chat : { ...chat, title: mask(chat.title) })),
        ),
      insertTurn: (row) => chats.insertTurn(through(row, maskTurn)),
      updateTurn: (id, patch) => chats.updateTurn(id, through(patch, maskTurn)),
    },
    answers: { ...answers, insert: (row) => answers.insert(through(row, (kept, mask) => ({ ...kept, answer: maskAnswer(kept.answer, mask) }))) },
    gaps: { ...gaps, write: (row) => gaps.write(through(row, maskGap)) },
  };
}

export const maskGap = (gap: GapRow, mask: (text: string) => string): GapRow => ({
  ...gap,
  question: mask(gap.question),
  variants: gap.variants.map(mask),
  nearest: gap.nearest.map((item) => ({ ...item, text: mask(item.text) })),
});
