/** @file Chat pages: who makes them, and what a stranger who asks there may see. */
import { randomBytes } from "node:crypto";
import { StarboxError } from "#base";
import type { Actor, AnswerService, PageInfo, PageInput, PageService } from "#contracts";
import type { Storage } from "#storage";
import { type AssistantsDeps, baseIds, stamp } from "./deps.ts";

export type PageDeps = Pick<AssistantsDeps, "access" | "audit" | "now"> & { readonly storage: Pick<Storage, "pages" | "kbs"> };

/** Nobody in particular: a member without a name reads what is shared with everyone, and of that only the page's bases. */
const visitor = (page: PageInfo): Actor => ({
  personId: null,
  name: `page ${page.name}`,
  role: "member",
  key: { id: `page:${page.id}`, models: null, bases: page.kbIds, write: false },
});

export function createPageService(deps: PageDeps, answers: AnswerService): PageService {
  const { pages } = deps.storage;
  const find = (id: string): PageInfo => {
    const found = pages.find(id);
    if (found !== undefined) return found;
    throw new StarboxError("not_found", `There is no page ${id}.`, { hint: "GET /api/pages lists them.", zh: { message: `没有页面 ${id}。` } });
  };
  const note = (actor: Actor, action: string, id: string): void => deps.audit.record({ actor, action, subject: { kind: "page", id }, outcome: "ok" });
  const checked = (actor: Actor, input: PageInput): PageInput => ({
    ...input,
    kbIds: baseIds(deps, actor, input.kbIds),
    origins: input.origins.map(cleanOrigin),
  });
  return {
    list: async () => pages.list(),
    async create(actor, input) {
      // 128 random bits: the link is the key.
      const page: PageInfo = {
        ...checked(actor, input),
        id: randomBytes(16).toString("base64url"),
        createdBy: actor.personId,
        createdAt: stamp(deps),
      };
      pages.write(page);
      note(actor, "page.create", page.id);
      return page;
    },
    async update(actor, id, patch) {
      const before = find(id);
      const page: PageInfo = { ...before, ...checked(actor, { ...before, ...patch }) };
      pages.write(page);
      note(actor, "page.change", id);
      return page;
    },
    async remove(actor, id) {
      find(id);
      pages.remove(id);
      note(actor, "page.remove", id);
    },
    async open(id) {
      const page = pages.find(id);
      return page?.enabled === true ? page : null;
    },
    async *ask(id, question, signal) {
      const page = find(id);
      if (!page.enabled) throw new StarboxError("not_found", `There is no page ${id}.`, { zh: { message: `没有页面 ${id}。` } });
      const actor = visitor(page);
      const kbs = page.kbIds.filter((kbId) => deps.access.base(actor, kbId) !== null);
      if (kbs.length === 0)
        throw new StarboxError("kb_not_found", "This page has nothing to answer from: its knowledge bases are not shared with everyone.", {
          hint: "Share them with everyone, or choose others.",
          zh: { message: "此页面暂无可用资料：其知识库未共享给所有人。", hint: "请将知识库共享给所有人，或更换知识库。" },
        });
      yield* answers.answer(actor, { kbs, messages: [{ role: "user", content: question }], signal });
    },
  };
}

function cleanOrigin(raw: string): string {
  const url = URL.parse(raw);
  if (url !== null && /^https?:$/.test(url.protocol) && url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "")
    return url.origin;
  throw new StarboxError("invalid_input", `Expected a site such as https://intranet.example, got "${raw}".`, {
    zh: { message: `应为 https://intranet.example 这样的站点地址，而不是“${raw}”。` },
  });
}
