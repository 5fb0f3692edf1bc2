/** @file Joins masks, holds, retention and one person's data with the rooms they reach into. */

import type { AuditLog } from "#audit";
import type { Logger } from "#base";
import type { Actor, KnowledgeService, PeopleService, PrivacyService, Services } from "#contracts";
import { dayOf } from "#metering";
import { lastAdministrator } from "#platform";
import {
  createHolds,
  createPolicies,
  createPrivacyService,
  holdChats,
  holdKnowledge,
  maskAnswers,
  maskChats,
  maskHistory,
  maskKnowledge,
  maskModels,
} from "#privacy";
import type { Storage } from "#storage";

type Guarded = Pick<Services, "knowledge" | "answers" | "chats" | "models" | "people">;

export type Privacy = {
  /** What assistants write their rows through. */
  readonly history: ReturnType<typeof maskHistory>;
  readonly service: PrivacyService;
  /** Masks and holds at the services' doors. */
  guard(services: Guarded): Guarded;
  /** Lets go of what is due, every hour. */
  start(): void;
  stop(): void;
};

const box: Actor = { personId: null, name: "box", role: "operator" };
const hourMs = 3_600_000;

export function createPrivacy(parts: {
  readonly storage: Storage;
  readonly dataDir: string;
  readonly audit: AuditLog;
  /** Without masks and holds: retention asks the holds itself. */
  readonly knowledge: KnowledgeService;
  readonly backups: () => Promise<number>;
  readonly ended: (personId: string) => void;
  readonly logger: Logger;
  readonly now: () => number;
}): Privacy {
  const { storage, dataDir, audit, now, logger } = parts;
  const policies = createPolicies(storage.settings);
  const holds = createHolds(storage.privacy, now);
  const service = createPrivacyService({
    policies,
    holds,
    audit,
    history: storage,
    retention: {
      store: storage.privacy,
      holds,
      policy: policies.retention,
      dataDir,
      removeDocument: async (id) => await parts.knowledge.removeDocument(box, id),
      pruneAudit: audit.pruneBefore,
      removeUsageBefore: storage.usage.removeBefore,
      checkpoint: storage.checkpoint,
      dayOf,
      now,
    },
    person: {
      store: storage.privacy,
      holds,
      dataDir,
      transaction: storage.transaction,
      checkpoint: storage.checkpoint,
      auditOf: audit.entriesOf,
      eraseAudit: audit.erasePerson,
      needOther(personId) {
        if (storage.people.readPerson(personId)?.role === "administrator" && storage.people.countAdministrators() === 1) throw lastAdministrator();
      },
      ended: parts.ended,
      backups: parts.backups,
      now,
    },
  });
  let timer: NodeJS.Timeout | undefined;
  const tidy = (): void => {
    if (Object.values(policies.retention()).every((days) => days === null)) return;
    service.runRetention(box).catch((error: unknown) => logger.error({ error: String(error) }, "retention failed"));
  };
  return {
    history: maskHistory(storage, () => policies.masker("stored")),
    service,
    guard: ({ knowledge, answers, chats, models, people }) => ({
      knowledge: maskKnowledge(holdKnowledge(knowledge, storage.privacy, holds), policies),
      answers: maskAnswers(answers, policies),
      chats: maskChats(holdChats(chats, storage.privacy, holds), policies),
      models: maskModels(models, policies),
      people: holdPeople(people, holds),
    }),
    start() {
      timer = setInterval(tidy, hourMs).unref();
    },
    stop: () => clearInterval(timer),
  };
}

function holdPeople(people: PeopleService, holds: ReturnType<typeof createHolds>): PeopleService {
  return {
    ...people,
    async removePerson(actor, id) {
      if (actor.role === "operator" || actor.role === "administrator") holds.needFree({ personId: id });
      await people.removePerson(actor, id);
    },
  };
}
