/** @file Who shares what with whom: the lists of bases, folders and files, and the names to choose from. */
import { StarboxError } from "#base";
import type { Access, AccessEntry, AccessList, Actor, AuditSink, PeopleService, Principal } from "#contracts";
import type { AccessRepository, Storage } from "#storage";
import { seesEverything } from "./access.ts";
import type { PeopleStore } from "./store.ts";

export type SharingDeps = {
  readonly store: PeopleStore;
  readonly access: Access;
  readonly lists: Pick<AccessRepository, "lists" | "writeList" | "removeList">;
  readonly kbs: Pick<Storage["kbs"], "find" | "findByName">;
  readonly audit: AuditSink;
};

type Part = Pick<PeopleService, "readDirectory" | "listAccess" | "writeAccess" | "removeAccess">;

export function createSharing(deps: SharingDeps): Part {
  const { store, access, lists } = deps;
  const managed = (actor: Actor, idOrName: string) => {
    const kb = deps.kbs.find(idOrName) ?? deps.kbs.findByName(idOrName);
    const level = access.base(actor, kb?.id ?? "");
    if (kb === undefined || level === null) throw noBase(idOrName);
    if (level !== "manage" || actor.viewedBy !== undefined) throw mayNotShare();
    return kb;
  };
  const present = (path: string, entries: readonly { readonly subject: string; readonly level: AccessEntry["level"] }[]): AccessList => ({
    path,
    entries: entries.map(({ subject, level }) => {
      const principal = readSubject(subject);
      const name =
        principal.kind === "everyone" ? "" : principal.kind === "team" ? store.teams.find(principal.id)?.name : store.readPerson(principal.id)?.name;
      return { principal, level, name: name ?? "?" };
    }),
  });
  const check = ({ principal }: AccessEntry): void => {
    const known =
      principal.kind === "everyone" ||
      (principal.kind === "team" ? store.teams.find(principal.id) !== undefined : store.readPerson(principal.id) !== undefined);
    if (!known) throw unknownPrincipal(principal);
  };
  const note = (actor: Actor, action: string, kbId: string, path: string, entries: readonly AccessEntry[]): void =>
    deps.audit.record({
      actor,
      action,
      subject: { kind: path === "" ? "base" : "path", id: path === "" ? kbId : path, kbId },
      outcome: "ok",
      details: { entries: entries.map(({ principal, level }) => `${subjectOf(principal)}=${level}`).join(" ") },
    });
  return {
    async readDirectory(actor) {
      if (!seesEverything(actor) && actor.role !== "knowledge-owner") throw mayNotShare();
      return {
        people: store.listPeople().map(({ id, name, email, role }) => ({ id, name, email, role })),
        teams: store.teams.list().map(({ id, name, parentId, memberIds }) => ({ id, name, parentId, members: memberIds.length })),
      };
    },
    async listAccess(actor, kbId) {
      return lists.lists(managed(actor, kbId).num).map(({ path, entries }) => present(path, entries));
    },
    async writeAccess(actor, kbId, rawPath, entries) {
      const kb = managed(actor, kbId);
      const path = cleanPath(rawPath);
      for (const entry of entries) check(entry);
      if (path !== "" && entries.some((entry) => entry.level === "manage")) throw manageIsForBases();
      // Who gives a base away keeps it in somebody's hands; an administrator can always take it up again.
      if (path === "" && !seesEverything(actor) && !entries.some((entry) => entry.level === "manage")) throw nobodyManages();
      const rows = [...new Map(entries.map(({ principal, level }) => [subjectOf(principal), level]))].map(([subject, level]) => ({ subject, level }));
      note(actor, "access.share", kb.id, path, entries);
      lists.writeList(kb.num, path, rows);
      return present(path, rows);
    },
    async removeAccess(actor, kbId, rawPath) {
      const kb = managed(actor, kbId);
      const path = cleanPath(rawPath);
      if (!lists.removeList(kb.num, path)) throw noList(path);
      note(actor, "access.inherit", kb.id, path, []);
    },
  };
}

const subjectOf = (principal: Principal): string => (principal.kind === "everyone" ? "everyone" : `${principal.kind}:${principal.id}`);

function readSubject(subject: string): Principal {
  const [kind, id = ""] = subject.split(/:(.*)/s);
  return kind === "team" || kind === "person" ? { kind, id } : { kind: "everyone" };
}

/** As documents' paths are: no slash at either end, no dots. */
function cleanPath(raw: string): string {
  const parts = raw
    .normalize("NFC")
    .replaceAll("\\", "/")
    .split("/")
    .filter((part) => part !== "" && part !== ".");
  if (!parts.includes("..") && parts.join("/").length <= 1000) return parts.join("/");
  throw new StarboxError("path_unsafe", "Expected a folder or file inside the base.", {
    hint: "Such as 人事/薪酬 or 人事/薪酬/2024.xlsx.",
    zh: { message: "请给出知识库内的文件夹或文件。", hint: "例如 人事/薪酬 或 人事/薪酬/2024.xlsx。" },
  });
}

const noBase = (idOrName: string): StarboxError =>
  new StarboxError("kb_not_found", `There is no knowledge base "${idOrName}".`, {
    hint: "GET /api/bases lists them.",
    zh: { message: `没有名为“${idOrName}”的知识库。`, hint: "GET /api/bases 可列出所有知识库。" },
  });

const mayNotShare = (): StarboxError =>
  new StarboxError("forbidden", "Only those who manage a base may share it.", {
    hint: "Ask the base's owner, or an administrator of this box.",
    zh: { message: "只有知识库的管理者可以共享它。", hint: "请联系该知识库的负责人或本机的管理员。" },
  });

const manageIsForBases = (): StarboxError =>
  new StarboxError("invalid_input", "Managing is given on whole bases.", {
    hint: "Give read or write on folders and files.",
    zh: { message: "“管理”权限只能授予整个知识库。", hint: "文件夹和文件请授予查看或编辑。" },
  });

const nobodyManages = (): StarboxError =>
  new StarboxError("conflict", "Nobody would manage this base any more.", {
    hint: "Keep yourself, or give manage to somebody else.",
    zh: { message: "这样就没有人管理这个知识库了。", hint: "请保留自己的“管理”权限，或把它交给别人。" },
  });

const unknownPrincipal = (principal: Principal): StarboxError =>
  new StarboxError("not_found", `There is no ${principal.kind} ${"id" in principal ? principal.id : ""}.`, {
    hint: "GET /api/directory lists people and teams.",
    zh: { message: "没有这个成员或团队。", hint: "GET /api/directory 可列出成员和团队。" },
  });

const noList = (path: string): StarboxError =>
  new StarboxError("not_found", `"${path}" has no list of its own.`, {
    hint: "It inherits already; the base's own list stays.",
    zh: { message: `“${path}”没有单独的权限。`, hint: "它已经沿用上级的权限；知识库自身的权限不能移除。" },
  });
