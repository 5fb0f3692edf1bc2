/** @file Looks once a second, while somebody listens, and tells what is different. Nothing runs when nobody does. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Actor, Services } from "#contracts";
import { namedEvent } from "../../sse.ts";

const everyMs = 1000;

export async function* changes(services: Services, actor: Actor, signal: AbortSignal): AsyncIterable<string> {
  const looks = {
    jobs: async () => await services.system.listJobs(actor, { limit: 100 }),
    models: async () => await services.models.list(),
    bases: async () => await services.knowledge.listBases(actor),
  };
  const last = new Map<string, string>();
  while (!signal.aborted) {
    for (const [name, look] of Object.entries(looks)) {
      const items = await look();
      const text = JSON.stringify(items);
      if (last.get(name) === text) continue;
      last.set(name, text);
      yield namedEvent(name, { items });
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
