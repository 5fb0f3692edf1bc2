/** @file The house's rules for personal data, kept as settings: what is masked where, how long what stays. */
import { StarboxError } from "#base";
import type { MaskKind, MaskPlace, MaskPolicy, RetentionPolicy } from "#contracts";
import { createMasker, type Masker } from "./mask.ts";

export type SettingStore = { read(key: string): string | null; write(key: string, value: string): unknown };

const maskKey = "privacy.masks";
const retentionKey = "privacy.retention";
const noMasks: MaskPolicy = { input: [], output: [], stored: [], onInput: "mask", words: [] };
const forEver: RetentionPolicy = { historyDays: null, uploadsDays: null, logsDays: null, auditDays: null, usageDays: null };

export type PrivacyPolicies = {
  masks(): MaskPolicy;
  writeMasks(patch: Partial<MaskPolicy>): MaskPolicy;
  /** null: nothing is masked there. */
  masker(place: MaskPlace): Masker | null;
  retention(): RetentionPolicy;
  writeRetention(patch: Partial<RetentionPolicy>): RetentionPolicy;
};

export function createPolicies(store: SettingStore): PrivacyPolicies {
  const load = <T extends object>(key: string, fallback: T): T => ({ ...fallback, ...(JSON.parse(store.read(key) ?? "{}") as Partial<T>) });
  let masks = load(maskKey, noMasks);
  let retention = load(retentionKey, forEver);
  let maskers = createMaskers(masks);
  return {
    masks: () => masks,
    writeMasks(patch) {
      masks = { ...masks, ...patch };
      store.write(maskKey, JSON.stringify(masks));
      maskers = createMaskers(masks);
      return masks;
    },
    masker: (place) => maskers[place],
    retention: () => retention,
    writeRetention(patch) {
      retention = { ...retention, ...patch };
      store.write(retentionKey, JSON.stringify(retention));
      return retention;
    },
  };
}

const createMaskers = (policy: MaskPolicy): Readonly<Record<MaskPlace, Masker | null>> => ({
  input: createMasker(policy.input, policy.words),
  output: createMasker(policy.output, policy.words),
  stored: createMasker(policy.stored, policy.words),
});

const kindWords: Readonly<Record<MaskKind, readonly [english: string, chinese: string]>> = {
  mobile: ["a mobile number", "手机号"],
  identity: ["an identity number", "身份证号"],
  bankCard: ["a bank card number", "银行卡号"],
  email: ["an e-mail address", "邮箱地址"],
  word: ["a word of the house's list", "敏感词"],
};

/** What goes on to the search and the model. Throws when the house does not take such texts at all. */
export function readInput(policies: PrivacyPolicies, text: string): string {
  const masker = policies.masker("input");
  if (masker === null) return text;
  if (policies.masks().onInput === "mask") return masker.mask(text);
  const kinds = masker.find(text);
  if (kinds.length === 0) return text;
  const [english, chinese] = [kinds.map((kind) => kindWords[kind][0]).join(", "), kinds.map((kind) => kindWords[kind][1]).join("、")];
  throw new StarboxError("invalid_input", `The text holds ${english}; this box does not take such texts.`, {
    hint: "Take it out and send the text again.",
    zh: { message: `文本中含有${chinese}，本机不接受此类内容。`, hint: "请删去后重新发送。" },
    details: { kinds: kinds.join(",") },
  });
}
