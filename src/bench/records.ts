/** @file What keeping accounts costs a request: the rows of the audit log and of usage that a search and an answer write, by the box's own log and meter in a folder of its own. */
import type { Actor, AuditSink, Services } from "#contracts";
import { latency, type Measured, operator } from "./retrieve.ts";

export type RecordsBench = {
  readonly services: Pick<Services, "people" | "usage" | "meter">;
  readonly audit: AuditSink;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  readonly long: boolean;
};

const warmUp = 200;
const counts = { short: 2000, long: 20_000 };
/** Between two, as between requests: what happens once a second falls where it falls. */
const pauseEvery = 20;

export async function* measureRecords(bench: RecordsBench): AsyncGenerator<Measured> {
  const actor = await createAsker(bench);
  const { audit, note } = bench;
  const { meter } = bench.services;
  const subject = { kind: "base", id: "kb_bench" };
  const search: Work = () => {
    const metered = meter.enter(actor, { kind: "search", model: null, expectedTokens: 8 });
    audit.record({ actor, action: "base.search", subject, outcome: "ok" });
    metered.record("embedder", { promptTokens: 8, completionTokens: 0 });
    metered.end("done");
    return metered.kept();
  };
  const read: Work = async () => audit.record({ actor, action: "document.read", subject: { ...subject, kind: "document" }, outcome: "ok" });
  const answer: Work = () => {
    const metered = meter.enter(actor, { kind: "answer", model: null, expectedTokens: 512 });
    audit.record({ actor, action: "answer.ask", subject, outcome: "ok" });
    metered.record("embedder", { promptTokens: 8, completionTokens: 0 });
    metered.record("language", { promptTokens: 900, completionTokens: 60 });
    metered.end("done");
    return metered.kept();
  };
  const count = bench.long ? counts.long : counts.short;
  for (const [name, work] of [
    ["a search (one audit row, one usage row)", search],
    ["a document read (one audit row)", read],
    ["an answer (one audit row, two usage rows)", answer],
  ] as const) {
    note(`${count} × ${name}`);
    const { held, waited } = await timeEach(work, count, bench.signal);
    yield latency(`accounts of ${name}, the box is held up`, held);
    if (work === answer) yield latency(`accounts of ${name}, until they are on the disk`, waited);
  }
}

/** What is done before it first waits holds up everybody; the rest only who asked. */
type Work = () => Promise<void>;

async function timeEach(work: Work, count: number, signal: AbortSignal): Promise<{ readonly held: number[]; readonly waited: number[] }> {
  const held: number[] = [];
  const waited: number[] = [];
  for (let i = -warmUp; i < count; i++) {
    const began = performance.now();
    const done = work();
    const heldMs = performance.now() - began;
    await done;
    if (i >= 0) {
      held.push(heldMs);
      waited.push(performance.now() - began);
    }
    if (i % pauseEvery !== 0) continue;
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return { held, waited };
}

/** A person in a team below another, with quotas to be looked at: what a member of a department is. */
async function createAsker({ services: { people, usage } }: RecordsBench): Promise<Actor> {
  const house = await people.createTeam(operator, { name: "House" });
  const office = await people.createTeam(operator, { name: "Office", parentId: house.id });
  const person = await people.createPerson(operator, {
    name: "Asker",
    email: "asker@example.org",
    password: "a long password",
    role: "member",
    teamIds: [office.id],
  });
  const limits = { requestsPerMinute: 10_000_000, requestsPerDay: null, tokensPerMinute: null, tokensPerDay: 1e12, tokensPerMonth: null };
  await usage.writeQuota(operator, { kind: "everyone", subject: "", ...limits, concurrent: 100 });
  return { personId: person.id, name: person.name, role: "member" };
}
