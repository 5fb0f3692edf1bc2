/** @file PrivacyService: policies, holds, retention and one person's data, for those who may. */
import { StarboxError } from "#base";
import type { Actor, AuditSink, MaskPlace, PrivacyService } from "#contracts";
import type { AnswerRepository, ChatRepository, GapRepository } from "#storage";
import type { Holds } from "./holds.ts";
import { maskGap } from "./masked-storage.ts";
import { maskAnswer, maskTurn } from "./masked-values.ts";
import { erasePerson, exportPerson, findPerson, type PersonParts } from "./person.ts";
import type { PrivacyPolicies } from "./policy.ts";
import { type RetentionParts, runRetention } from "./retention.ts";

export type PrivacyParts = {
  readonly policies: PrivacyPolicies;
  readonly holds: Holds;
  readonly retention: RetentionParts;
  readonly person: PersonParts;
  /** Unmasked: what is there already is read and written as it is. */
  readonly history: { readonly chats: ChatRepository; readonly answers: AnswerRepository; readonly gaps: GapRepository };
  readonly audit: AuditSink;
};

export function createPrivacyService(parts: PrivacyParts): PrivacyService {
  const { policies, holds, audit } = parts;
  const { store } = parts.person;
  const note = (
    actor: Actor,
    action: string,
    subject: { kind: string; id: string } | null,
    details: Record<string, string | number | null> = {},
  ): void => audit.record({ actor, action, subject, outcome: "ok", details });
  return {
    readMasks: async (actor) => (needAdministrator(actor), policies.masks()),
    async writeMasks(actor, patch) {
      needAdministrator(actor);
      const next = policies.writeMasks(patch);
      note(actor, "privacy.masks", null, {
        input: next.input.join(","),
        output: next.output.join(","),
        stored: next.stored.join(","),
        onInput: next.onInput,
        words: next.words.length,
      });
      return next;
    },
    async tryMasks(actor, text) {
      needAdministrator(actor);
      const at = (place: MaskPlace): string => policies.masker(place)?.mask(text) ?? text;
      return { input: at("input"), output: at("output"), stored: at("stored") };
    },
    async maskHistory(actor) {
      needAdministrator(actor);
      const counts = maskStored(parts);
      note(actor, "privacy.mask-history", null, counts);
      return counts;
    },
    readRetention: async (actor) => (needAdministrator(actor), policies.retention()),
    async writeRetention(actor, patch) {
      needAdministrator(actor);
      const next = policies.writeRetention(patch);
      note(actor, "retention.change", null, { ...next });
      return next;
    },
    async runRetention(actor) {
      needAdministrator(actor);
      const report = await runRetention(parts.retention, actor);
      note(actor, "retention.run", null, { ...report.removed, held: report.held });
      return report;
    },
    listHolds: async (actor) => (needAdministrator(actor), holds.list()),
    async addHold(actor, input) {
      needAdministrator(actor);
      const hold = holds.add(input);
      note(actor, "hold.add", hold.kind === "person" ? { kind: "person", id: hold.subject } : { kind: "hold", id: hold.id }, {
        hold: hold.id,
        of: hold.kind,
      });
      return hold;
    },
    async releaseHold(actor, id) {
      needAdministrator(actor);
      holds.release(id);
      note(actor, "hold.release", { kind: "hold", id });
    },
    async *exportPerson(actor, person) {
      // Others learn nothing of who is here.
      if (!isAdministrator(actor) && (actor.personId === null || person !== actor.personId)) throw notAllowed();
      const found = findPerson(store, person);
      note(actor, "person.export", { kind: "person", id: found.id });
      yield* exportPerson(parts.person, found);
    },
    async erasePerson(actor, person) {
      needAdministrator(actor);
      const report = await erasePerson(parts.person, findPerson(store, person), actor);
      note(actor, "person.erase", { kind: "erasure", id: report.id }, { traces: report.traces.length });
      return report;
    },
    listErasures: async (actor) => (needAdministrator(actor), store.listErasures().map((report) => JSON.parse(report))),
  };
}

function maskStored({ policies, history, person: { store, transaction } }: PrivacyParts): {
  turns: number;
  answers: number;
  gaps: number;
  chats: number;
} {
  const counts = { turns: 0, answers: 0, gaps: 0, chats: 0 };
  const masker = policies.masker("stored");
  if (masker === null) return counts;
  const { mask } = masker;
  const pages = (read: (after: string) => readonly string[], work: (id: string) => boolean): number => {
    let changed = 0;
    for (let after = ""; ; ) {
      const ids = read(after);
      if (ids.length === 0) return changed;
      transaction(() => {
        for (const id of ids) if (work(id)) changed++;
      });
      after = ids.at(-1) ?? after;
    }
  };
  counts.turns = pages(store.turnIds, (id) => {
    const turn = history.chats.findTurn(id);
    if (turn === undefined) return false;
    const next = maskTurn(turn, mask);
    if (JSON.stringify(next) === JSON.stringify(turn)) return false;
    history.chats.updateTurn(id, next);
    return true;
  });
  counts.answers = pages(store.answerIds, (id) => {
    const row = history.answers.find(id);
    if (row === undefined) return false;
    const next = maskAnswer(row.answer, mask);
    if (JSON.stringify(next) === JSON.stringify(row.answer)) return false;
    store.writeAnswer(id, next.question, JSON.stringify(next));
    return true;
  });
  for (const { id, title } of store.chatTitles()) {
    if (mask(title) === title) continue;
    history.chats.update(id, { title: mask(title) });
    counts.chats++;
  }
  for (const id of store.gapIds()) {
    const gap = history.gaps.find(id);
    if (gap === undefined) continue;
    const next = maskGap(gap, mask);
    if (JSON.stringify(next) === JSON.stringify(gap)) continue;
    history.gaps.write(next);
    counts.gaps++;
  }
  return counts;
}

const isAdministrator = (actor: Actor): boolean =>
  actor.role === "operator" || (actor.role === "administrator" && (actor.key?.bases ?? null) === null && (actor.key?.models ?? null) === null);

const notAllowed = (): StarboxError =>
  new StarboxError("forbidden", "Only an administrator may do this.", {
    hint: "Ask an administrator of this box.",
    zh: { message: "只有管理员可以这样做。", hint: "请联系本机的管理员。" },
  });

function needAdministrator(actor: Actor): void {
  if (!isAdministrator(actor)) throw notAllowed();
}
