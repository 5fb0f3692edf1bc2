/** @file The door of `metering`: quotas before the work, usage after it. */
export { dayOf } from "./calendar.ts";
export { createMeter, type MeterOptions } from "./meter.ts";
export { meterEmbedding } from "./metered-model.ts";
export { meterAnswers, meterChats, meterKnowledge, meterModels } from "./metered-services.ts";
export { createUsageService, type UsageNames } from "./usage-service.ts";
