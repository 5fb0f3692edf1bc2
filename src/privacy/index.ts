/** @file The door of `privacy`: masks, retention, holds, one person's data. */
export { createHolds, holdChats, holdKnowledge } from "./holds.ts";
export { maskAnswers, maskChats, maskKnowledge, maskModels } from "./masked-services.ts";
export { maskHistory } from "./masked-storage.ts";
export { createPolicies } from "./policy.ts";
export { createPrivacyService } from "./service.ts";
